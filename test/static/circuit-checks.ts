/** The statements of our circuits that refuse something, and whether a test names them as what refuses. */

/** The statement that begins on a line (from 1), its lines joined by single spaces. */
export function statementAt(source: string, line: number): string {
  const lines = source.split('\n').slice(line - 1);
  const end = lines.findIndex((text) => /;|[{}]\s*$/.test(text.replace(/\/\/.*/, '')));
  return lines
    .slice(0, end + 1)
    .map((text) => text.trim())
    .join(' ');
}

/** Equations, ranges and bits, templates that require something, and look-ups of what must be there. */
const REFUSES = /===|\b(?:RangeCheck|Require\w+|FindKey|OneHot)\(/;
/** Num2Bits holds what goes into it to its width. */
const BITS_OF = /component (\w+)(?:\[\w+\])? = Num2Bits\(/;

/** "Template: statement" of every check in a circuit file, as a refusal is told (test/support/circuit-refusal.ts). */
export function checksOf(source: string): string[] {
  const checks: string[] = [];
  let template = '';
  let splitters: string[] = [];
  source.split('\n').forEach((line, index) => {
    const code = line.replace(/\/\/.*/, '');
    const begun = /^template (\w+)\(/.exec(code)?.[1];
    if (begun !== undefined) [template, splitters] = [begun, []];
    const splitter = BITS_OF.exec(code)?.[1];
    if (splitter !== undefined) splitters.push(splitter);
    const isSplit = splitters.some((name) => new RegExp(`\\b${name}\\.in <==`).test(code));
    if (begun !== undefined || !(REFUSES.test(code) || isSplit)) return;
    checks.push(`${template}: ${statementAt(source, index + 1)}`);
  });
  return checks;
}

const LITERAL = /'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g;
const HOLE = /\$\{[^}]*\}/;
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The texts that a test file can expect: its literals, with every hole of a template filled by another of them. */
export class ExpectedTexts {
  readonly #whole = new Set<string>();
  readonly #withHoles: RegExp[] = [];

  constructor(source: string) {
    const code = source.replace(/^\s*(?:\/\/|\/?\*).*$/gm, '');
    for (const [, quoted, template] of code.matchAll(LITERAL)) {
      const text = (quoted ?? template).replace(/\\(['`\\])/g, '$1');
      const parts = text.split(HOLE);
      if (quoted !== undefined || parts.length === 1) this.#whole.add(text);
      // A template of holes alone would fit anything.
      else if (parts.join('').trim().length > 1)
        this.#withHoles.push(new RegExp(`^${parts.map(escaped).join('(.+?)')}$`));
    }
  }

  has(text: string): boolean {
    if (this.#whole.has(text)) return true;
    return this.#withHoles.some((pattern) => {
      const fillings = pattern.exec(text)?.slice(1);
      return fillings?.every((filling) => this.has(filling)) ?? false;
    });
  }
}
