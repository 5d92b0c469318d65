import { InputError } from './errors.ts';

/** One unsigned field of a packed element, least significant first. */
export interface PackField {
  readonly name: string;
  readonly bits: number;
}

/** Packs named unsigned fields into one integer; a value outside its width is an InputError. */
export function pack(layout: readonly PackField[], values: Readonly<Record<string, bigint>>): bigint {
  let packed = 0n;
  let shift = 0n;
  for (const { name, bits } of layout) {
    const fieldValue = values[name] ?? 0n;
    if (fieldValue < 0n || fieldValue >= 1n << BigInt(bits)) {
      throw new InputError(name, fieldValue, `expected an integer from 0 to 2^${bits} − 1`);
    }
    packed |= fieldValue << shift;
    shift += BigInt(bits);
  }
  return packed;
}

/** The reverse of `pack`; bits above the layout are an InputError. */
export function unpack(layout: readonly PackField[], packed: bigint): Record<string, bigint> {
  const values: Record<string, bigint> = {};
  let rest = packed;
  for (const { name, bits } of layout) {
    values[name] = rest & ((1n << BigInt(bits)) - 1n);
    rest >>= BigInt(bits);
  }
  if (packed < 0n || rest !== 0n) throw new InputError('packed', packed, 'unused bits must be zero');
  return values;
}

export const layoutBits = (layout: readonly PackField[]): number =>
  layout.reduce((sum, field) => sum + field.bits, 0);
