/** The statements of our circuits that refuse something, as the tests name them. */

/** The statement that begins on a line (from 1), its lines joined by single spaces. */
export function statementAt(source: string, line: number): string {
  const lines = source.split('\n').slice(line - 1);
  const end = lines.findIndex((text) => /;|[{}]\s*$/.test(text.replace(/\/\/.*/, '')));
  return lines
    .slice(0, end + 1)
    .map((text) => text.trim())
    .join(' ');
}
