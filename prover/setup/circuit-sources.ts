/**
 * All source files of a circuit, by its include statements, and one hash over them.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** An include that names no file. */
export class MissingIncludeError extends Error {
  override readonly name = 'MissingIncludeError';
}

const INCLUDE = /^\s*include\s+"([^"]+)"\s*;/gm;
const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

/**
 * Paths of the main file and everything it includes, in a fixed order.
 * @param libraries folders searched after the including file's own, as the compiler's `-l` does.
 * @throws MissingIncludeError
 */
export function circuitSources(mainPath: string, libraries: readonly string[]): string[] {
  const found = new Set<string>();
  const visit = (path: string): void => {
    if (found.has(path)) return;
    found.add(path);
    const code = readFileSync(path, 'utf8').replace(COMMENTS, '');
    for (const [, included] of code.matchAll(INCLUDE)) {
      const candidates = [dirname(path), ...libraries].map((folder) => resolve(folder, included));
      const existing = candidates.find((candidate) => existsSync(candidate));
      if (existing === undefined) throw new MissingIncludeError(`${path} includes "${included}": not found`);
      visit(existing);
    }
  };
  visit(resolve(mainPath));
  return [...found];
}

/**
 * SHA-256 over the contents and names of all sources, in hex.
 * @param root names are taken relative to it, so that the hash does not depend on where it lies.
 */
export function hashSources(paths: readonly string[], root: string): string {
  const hash = createHash('sha256');
  for (const path of paths) {
    const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
    hash.update(`${relative(root, path)}\0${digest}\n`);
  }
  return hash.digest('hex');
}

/** The nearest folder at or above `start` that has a package.json: compilation runs there. */
export function projectRoot(start: string): string {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) throw new Error(`no package.json above ${start}`);
  }
}

/** Main files of the project's own circuits, sorted by name. */
export function mainCircuits(): string[] {
  const folder = join(projectRoot(import.meta.dirname), 'circuits/main');
  const names = readdirSync(folder).filter((name) => name.endsWith('.circom'));
  return names.sort().map((name) => join(folder, name));
}
