/** SVG as text: elements, escaping, and one monospaced font whose widths are known without measuring. */

export type Attributes = Readonly<Record<string, string | number>>;

export const FONT_SIZE = 11;
/** Of the named fonts: every glyph is 0.602 of the size wide. */
const GLYPH_SHARE = 0.602;
const FONT_FAMILY = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace";

export const INK = '#1a1a1a';
export const FAINT_INK = '#595959';
export const RULE = '#cfcfcf';

/** Pixels that a text of one line takes. */
export const textWidth = (text: string, size = FONT_SIZE): number => [...text].length * size * GLYPH_SHARE;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeText = (text: string): string => text.replace(/[&<>"]/g, (character) => ESCAPES[character]);

/** Hundredths of a pixel are enough. */
const attributeText = (value: string | number): string =>
  typeof value === 'number' ? `${Math.round(value * 100) / 100}` : escapeText(value);

/** @param children SVG text, already escaped */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${attributeText(value)}"`);
  const head = `<${name}${list.join('')}`;
  return children.length === 0 ? `${head}/>` : `${head}>${children.join('')}</${name}>`;
}

/** What a reader that hovers, or one that cannot see, is told of an element. */
export const titled = (title: string): string => element('title', {}, escapeText(title));

export interface TextStyle {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly size?: number;
  readonly fill?: string;
  readonly weight?: 'bold';
}

/** One line with its baseline at y. */
export function text(x: number, y: number, line: string, style: TextStyle = {}): string {
  const { anchor = 'start', size = FONT_SIZE, fill = INK, weight } = style;
  return element(
    'text',
    {
      x,
      y,
      'font-size': size,
      fill,
      ...(anchor === 'start' ? {} : { 'text-anchor': anchor }),
      ...(weight === undefined ? {} : { 'font-weight': weight }),
    },
    escapeText(line),
  );
}

export const line = (x1: number, y1: number, x2: number, y2: number, style: Attributes = {}): string =>
  element('line', { x1, y1, x2, y2, stroke: RULE, ...style });

/** A whole picture on white, with a title for those who cannot see it. */
export const picture = (width: number, height: number, title: string, parts: readonly string[]): string =>
  element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height,
      viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`,
      role: 'img',
      'font-family': FONT_FAMILY,
    },
    titled(title),
    element('rect', { width, height, fill: '#ffffff' }),
    ...parts,
  );
