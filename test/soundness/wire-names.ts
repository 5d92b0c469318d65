import { readFileSync } from 'node:fs';

/** The outermost name of every wire, from a circuit's symbols. */
export function namesByWire(symPath: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const row of readFileSync(symPath, 'utf8').trim().split('\n')) {
    const [, wire, , name] = row.split(',');
    if (!names.has(Number(wire))) names.set(Number(wire), name);
  }
  return names;
}
