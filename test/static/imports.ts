import { posix } from 'node:path';

/** One import as the architecture sees it: a file of a room, a package, or a module of Node. */
export type Import =
  | { kind: 'file'; specifier: string; room: string; path: string }
  | { kind: 'package'; specifier: string; name: string }
  | { kind: 'node'; specifier: string };

const IMPORT_PATTERNS = [
  /^\s*(?:import|export)\s[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
  /^\s*import\s*['"]([^'"]+)['"]/gm,
  /\bimport\s*\(\s*['"`]([^'"`]+)['"`]/g,
  /\brequire\s*\(\s*['"`]([^'"`]+)['"`]/g,
  /\bnew URL\(\s*['"`](\.[^'"`]+)['"`]\s*,\s*import\.meta\.url/g,
];

export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

/** Every import, re-export, dynamic import and `new URL(…, import.meta.url)` of a TypeScript file. */
export function importsOf(path: string, text: string): Import[] {
  const code = withoutComments(text);
  const specifiers = IMPORT_PATTERNS.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => match[1]),
  );
  return specifiers.map((specifier) => resolve(path, specifier));
}

function resolve(importer: string, specifier: string): Import {
  if (specifier.startsWith('node:')) return { kind: 'node', specifier };
  if (specifier.startsWith('#')) return file(specifier, specifier.slice(1));
  if (specifier.startsWith('.')) return file(specifier, posix.join(posix.dirname(importer), specifier));
  const parts = specifier.split('/');
  return { kind: 'package', specifier, name: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/') };
}

function file(specifier: string, path: string): Import {
  return { kind: 'file', specifier, path, room: roomOf(path) };
}

/** The top folder; the empty string for a file beside package.json. */
export function roomOf(path: string): string {
  const end = path.indexOf('/');
  return end < 0 ? '' : path.slice(0, end);
}
