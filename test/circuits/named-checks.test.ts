/**
 * Every statement of the batch circuit's sources that can refuse something is what some attack or template test expects to
 * refuse: a check that nobody names may be gone, or stand where another always comes first, and no test would say so.
 */
import { expect } from 'chai';
import { checksOf, ExpectedTexts } from '#test/static/circuit-checks.ts';
import { readSource, sourceFiles } from '#test/static/repository-files.ts';

const CIRCUITS = /^circuits\/(batch|(row|state|order|bus|arithmetic)\/[\w-]+)\.circom$/;
const IMPORT = /from '#(test\/support\/[^']+)'/g;
const NEAR_IMPORT = /from '(?:\.\.\/)+(support\/[^']+)'/g;

/** Read and accepted: what no test can name, and where it is shown instead. */
const UNNAMED: Readonly<Record<string, string>> = {
  'HashBits: split.in <== value;': '254 bits hold any field element: it refuses nothing',
  'DivideNearest: RangeCheck(remainderBits)(remainder);':
    'circuits/divide.test.ts assigns every quotient with its remainder and asks the constraints',
  'DivideNearest: RangeCheck(remainderBits)(2 * DIVISOR - 1 - remainder);':
    'circuits/divide.test.ts assigns every quotient with its remainder and asks the constraints',
  'ShiftRightNearest: RangeCheck(NUMERATOR_BITS + 1 - SHIFT)(quotient);':
    'circuits/divide.test.ts assigns every quotient with its remainder and asks the constraints',
  'ShiftRightNearest: RangeCheck(SHIFT)(numerator + (1 << (SHIFT - 1)) - quotient * (1 << SHIFT));':
    'circuits/divide.test.ts assigns every quotient with its remainder and asks the constraints',
};

/** The literals of a test file and of the support that it imports. */
function expectedOf(path: string): ExpectedTexts {
  const source = readSource(path);
  const support = [
    ...[...source.matchAll(IMPORT)].map(([, imported]) => imported),
    ...[...source.matchAll(NEAR_IMPORT)].map(([, imported]) => `test/${imported}`),
  ];
  return new ExpectedTexts([source, ...support.map(readSource)].join('\n'));
}

describe('checks of the batch circuit', () => {
  const files = sourceFiles();
  const checks = files.filter((path) => CIRCUITS.test(path)).flatMap((path) => checksOf(readSource(path)));
  const tests = files
    .filter((path) => path.startsWith('test/circuits/') && path.endsWith('.test.ts'))
    .filter((path) => !path.endsWith('named-checks.test.ts'))
    .map(expectedOf);
  const isNamed = (check: string): boolean => tests.some((expected) => expected.has(check));

  it('are found, in every file', () => {
    expect(checks.length).to.be.at.least(290);
    for (const template of ['Batch', 'AccountRow', 'AccountHealth', 'AlignedSlot', 'MerkleUpdate'])
      expect(checks.filter((check) => check.startsWith(`${template}: `))).to.not.deep.equal([]);
  });

  it('are each what a test expects to refuse, or on the reviewed list', () => {
    expect(checks.filter((check) => !isNamed(check) && !(check in UNNAMED))).to.deep.equal([]);
  });

  it('are on the reviewed list only where they exist and no test names them', () => {
    const stale = Object.keys(UNNAMED).filter((check) => !checks.includes(check) || isNamed(check));
    expect(stale).to.deep.equal([]);
  });
});

describe('templates', () => {
  const SAYS = ['Proves', 'Assumes', 'Guarantees'];
  /** The comment above a template, and its name. */
  const OPENING = /((?:^\/\/.*\n)*)^template (\w+)\(/gm;

  it('open with what they prove, assume and guarantee, or with the one that says it', () => {
    const silent = sourceFiles()
      .filter((path) => path.startsWith('circuits/') && path.endsWith('.circom'))
      .flatMap((path) => [...readSource(path).matchAll(OPENING)])
      .filter(([, comment]) => !/^\/\/ As \w+, which says/.test(comment))
      .filter(([, comment]) => !SAYS.every((word) => new RegExp(`^// ${word} `, 'm').test(comment)));
    expect(silent.map(([, , template]) => template)).to.deep.equal([]);
  });
});

describe('the search for expected texts', () => {
  it('fills the holes of a template with literals of the same file only', () => {
    const texts = new ExpectedTexts("const flag = 'isUsed'; expect(`Row: RequireBit()($" + '{flag});`);');
    expect(texts.has('Row: RequireBit()(isUsed);')).to.equal(true);
    expect(texts.has('Row: RequireBit()(isShort);')).to.equal(false);
  });

  it('takes no part of a statement for it, and no comment for a test', () => {
    const texts = new ExpectedTexts("// 'Row: a === 0;'\nexpect('Row: a');");
    expect(texts.has('Row: a === 0;')).to.equal(false);
    expect(texts.has('Row: a')).to.equal(true);
  });

  it('finds checks over several lines, of bits, and of one loop', () => {
    const source = [
      'template Row(COUNT) {',
      '    RangeCheck(8)(',
      '        a + b);',
      '    component bits = Num2Bits(4);',
      '    bits.in <== a; // four',
      '    for (var i = 0; i < 2; i++) { c[i] === 0; }',
      '    d <== a * b; // === is said here only',
      '}',
    ].join('\n');
    expect(checksOf(source)).to.deep.equal([
      'Row: RangeCheck(8)( a + b);',
      'Row: bits.in <== a; // four',
      'Row: for (var i = 0; i < 2; i++) { c[i] === 0; }',
    ]);
  });
});
