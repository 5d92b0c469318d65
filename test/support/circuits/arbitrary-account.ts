/** Random accounts: every leaf that the state can hold. */
import fc from 'fast-check';
import type { Account } from '#protocol/account.ts';
import type { StateShape } from '#protocol/limits.ts';
import type { Lots, Micros } from '#protocol/units.ts';
import { fieldElement } from './template.ts';

export const SIZE_MAX = (1n << 47n) - 1n;
export const ID_MAX = 2 ** 20 - 1;
const lots = fc.oneof(fc.bigInt(-SIZE_MAX, SIZE_MAX), fc.constantFrom(0n, SIZE_MAX, -SIZE_MAX));
export const list = <T>(arbitrary: fc.Arbitrary<T>, length: number): fc.Arbitrary<T[]> =>
  fc.array(arbitrary, { minLength: length, maxLength: length });

/** Any account that a leaf can hold. */
export const anyAccount = (shape: StateShape): fc.Arbitrary<Account> => {
  const window = 32 * shape.nonceWords;
  const offsets = fc.uniqueArray(fc.nat(window - 1), { maxLength: shape.recordSlots });
  return fc
    .record({
      publicKey: fc.tuple(fieldElement, fieldElement),
      epoch: fc.bigInt(0n, (1n << 32n) - 1n),
      baseWord: fc.bigInt(0n, (1n << 35n) - 10n),
      usedMap: fc.bigInt(0n, (1n << BigInt(window)) - 1n),
      cashStar: fc.bigInt(1n - (1n << 99n), (1n << 99n) - 1n),
      offsets,
      filled: list(fc.bigInt(1n, SIZE_MAX), shape.recordSlots),
      ids: fc.uniqueArray(fc.integer({ min: 4, max: ID_MAX }), {
        minLength: shape.derivativeSlots,
        maxLength: shape.derivativeSlots,
      }),
      sizes: list(lots, shape.derivativeSlots),
      spot: list(fc.bigInt(0n, SIZE_MAX), 3),
    })
    .map(({ offsets, filled, ids, sizes, usedMap, baseWord, cashStar, spot, ...rest }) => ({
      ...rest,
      baseWord,
      usedMap: offsets.reduce((map, offset) => map | (1n << BigInt(offset)), usedMap),
      cashStar: cashStar as Micros,
      records: offsets
        .sort((a, b) => a - b)
        .map((offset, i) => ({ nonce: 32n * baseWord + BigInt(offset), filled: filled[i] as Lots })),
      slots: sizes.map((size, i) => ({ instrumentId: size === 0n ? 0 : ids[i], size: size as Lots })),
      spot: spot as Lots[],
    }));
};
