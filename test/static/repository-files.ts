import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

function gitFiles(...options: string[]): string[] {
  const listing = execFileSync('git', ['ls-files', '-z', ...options], { cwd: ROOT, encoding: 'utf8' });
  return [...new Set(listing.split('\0'))].filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

/** Paths known to git. */
export const trackedFiles = (): string[] => gitFiles('--cached');

/** Paths that are, or would be with the next `git add`, in the repository: new files count, ignored ones do not. */
export const sourceFiles = (): string[] => gitFiles('--cached', '--others', '--exclude-standard').sort();

export const readSource = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Written by a program: in a folder `generated`, or with a first line that says from what. */
export const isGenerated = (path: string, text: string): boolean =>
  path.includes('/generated/') || /\bgenerated (from|by)\b/i.test(text.slice(0, text.indexOf('\n') + 1));
