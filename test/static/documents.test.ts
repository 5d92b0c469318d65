/** What the documents name is there: tests, files, headings, commands; and the README says what is not promised. */
import { expect } from 'chai';
import { readSource, sourceFiles } from './repository-files.ts';

const files = sourceFiles();
const documents = files.filter((path) => path.endsWith('.md'));
const directoryOf = (path: string) => path.split('/').slice(0, -1).join('/');

/** A relative path seen from a document, as one from the top. */
function resolve(from: string, target: string): string {
  const parts = directoryOf(from).split('/').filter(Boolean);
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

const exists = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`));
/** GitHub's anchor of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replace(/ /g, '-');
const anchorsOf = (path: string) =>
  [...readSource(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));

describe('documents', () => {
  it('link to files and headings that exist', () => {
    const broken = documents.flatMap((path) =>
      [...readSource(path).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
        if (/^https?:/.test(link)) return [];
        const [target, anchor] = link.split('#');
        const file = target === '' ? path : resolve(path, target);
        if (!exists(file)) return [`${path}: ${link}`];
        return anchor === undefined || anchorsOf(file).includes(anchor) ? [] : [`${path}: ${link}`];
      }),
    );
    expect(broken).to.deep.equal([]);
  });

  it('name tests that exist: every line of the threats has one, or says why not', () => {
    const lines = readSource('docs/threats.md').split('\n');
    const rows = lines.filter((line) => /^\| [^-]/.test(line) && !/^\| (id|fact|incident|event) /.test(line));
    const missing = rows.flatMap((row) => {
      const cells = row.split('|').map((cell) => cell.trim());
      const tests = [...(cells.at(-2) ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name);
      const isSaid = /\b(later|not built|there is none|none yet)\b/.test(row);
      if (tests.length === 0) return isSaid ? [] : [`no test: ${row}`];
      return tests
        .map((name) => (name.startsWith('bench/') ? name : `test/${name}`))
        .filter((name) => !name.includes('npm start'))
        .filter((name) => {
          const stem = name.replace(/\*$/, '');
          return !files.some(
            (file) =>
              file === name ||
              file.startsWith(`${name}.`) ||
              file.startsWith(`${name}/`) ||
              (stem !== name && file.startsWith(stem)),
          );
        });
    });
    expect(rows.length).to.be.greaterThan(80);
    expect(missing).to.deep.equal([]);
  });

  it('name commands that exist', () => {
    const { scripts } = JSON.parse(readSource('package.json')) as { scripts: Record<string, string> };
    const unknown = documents.flatMap((path) => {
      const text = readSource(path);
      const run = [...text.matchAll(/npm run ([a-z:-]+)/g)].filter(([, name]) => !(name in scripts));
      const node = [...text.matchAll(/node ((?:bench|sequencer|prover|test)\/[\w/.-]+\.ts)/g)].filter(
        ([, file]) => !exists(file),
      );
      return [...run, ...node].map(([command]) => `${path}: ${command}`);
    });
    expect(unknown).to.deep.equal([]);
  });

  it('tell users what they have to trust and what is not built', () => {
    const limits = readSource('README.md').split('## Limits')[1];
    for (const said of [
      'development keys',
      'price signers are trusted',
      'One operator',
      'No escape yet',
      'L1',
    ])
      expect(limits).to.contain(said);
  });
});
