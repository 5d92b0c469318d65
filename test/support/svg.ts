/** Reads SVG text: strict enough that a picture no browser would draw does not pass, and small enough to be read. */

export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly SvgElement[];
  /** Its own text, entities resolved. */
  readonly text: string;
}

const TOKEN = /<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)(\/?)>|([^<]+)/y;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };

function resolve(text: string): string {
  return text.replace(/&([a-z]*;?)/g, (whole, name: string) => {
    const character = name.endsWith(';') ? ENTITIES[name.slice(0, -1)] : undefined;
    if (character === undefined) throw new Error(`unknown entity ${whole}`);
    return character;
  });
}

/** @throws Error where the text is not one well-formed element */
export function parseSvg(source: string): SvgElement {
  interface Open {
    name: string;
    attributes: Record<string, string>;
    children: SvgElement[];
    text: string;
  }
  const root: Open = { name: '', attributes: {}, children: [], text: '' };
  const open: Open[] = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(source);
    if (token === null) throw new Error(`not SVG at ${at}: ${source.slice(at, at + 60)}`);
    const [, isEnd, name, list, isEmpty, text] = token;
    const current = open[open.length - 1];
    if (text !== undefined) {
      current.text += resolve(text);
    } else if (isEnd === '/') {
      if (current.name !== name) throw new Error(`</${name}> closes <${current.name}>`);
      open.pop();
    } else {
      const attributes: Record<string, string> = {};
      for (const [, key, value] of list.matchAll(/ ([a-zA-Z0-9:-]+)="([^"]*)"/g)) {
        if (key in attributes) throw new Error(`attribute ${key} twice`);
        attributes[key] = resolve(value);
      }
      const element = { name, attributes, children: [], text: '' };
      current.children.push(element);
      if (isEmpty !== '/') open.push(element);
    }
  }
  if (open.length !== 1 || root.children.length !== 1)
    throw new Error('an element is not closed, or not alone');
  return root.children[0];
}

export const descendants = (element: SvgElement): SvgElement[] => [
  element,
  ...element.children.flatMap((child) => descendants(child)),
];

export interface TextBox {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where every line of text lies, for a font whose glyphs are all `glyphShare` of its size wide. */
export function textBoxes(element: SvgElement, glyphShare: number, dy = 0): TextBox[] {
  const shift = /^translate\(0 ([\d.]+)\)$/.exec(element.attributes.transform ?? 'translate(0 0)');
  if (shift === null) throw new Error(`unknown transform ${element.attributes.transform}`);
  const y0 = dy + Number(shift[1]);
  const inner = element.children.flatMap((child) => textBoxes(child, glyphShare, y0));
  if (element.name !== 'text') return inner;
  const { x, y, 'font-size': size, 'text-anchor': anchor = 'start' } = element.attributes;
  const width = [...element.text].length * Number(size) * glyphShare;
  const left = Number(x) - { start: 0, middle: width / 2, end: width }[anchor as 'start'];
  // Ascenders and descenders of the font, of its size.
  const baseline = y0 + Number(y);
  const box = {
    text: element.text,
    left,
    right: left + width,
    top: baseline - 0.76 * Number(size),
    bottom: baseline + 0.24 * Number(size),
  };
  return [box];
}

export const overlapping = (boxes: readonly TextBox[]): [string, string][] =>
  boxes.flatMap((a, i) =>
    boxes
      .slice(i + 1)
      .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      .map((b): [string, string] => [a.text, b.text]),
  );
