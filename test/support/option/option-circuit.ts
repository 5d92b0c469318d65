/** Rows of options as inputs of the circuit under test, and what its twin says of them. */
import { toField } from '#protocol/crypto/field.ts';
import { leastVolPpmUp, OPTION_TIME_SEC_MAX, VOL_PPM_MAX } from '#protocol/risk/option/domain.ts';
import { forwardMoves, MOVE_PAIRS, underlyingMoves, type VolMove } from '#protocol/risk/option/moves.ts';
import { priceStrike, riskArrayOf } from '#protocol/risk/option/option-row.ts';

export const STRIKE_CIRCUIT = 'test/fixtures/circuits/option/option-strike.circom';
export const PRICES_PER_ROW = 1 + MOVE_PAIRS.length;

export interface OptionCircuitInput {
  readonly quarterMove: bigint;
  readonly forward: bigint;
  readonly timeSec: bigint;
  readonly strike: bigint;
  /** Unchanged, up, down. */
  readonly volsPpm: readonly bigint[];
}

export const inputOf = (
  quarterMove: bigint,
  forward: bigint,
  timeSec: bigint,
  strike: bigint,
  vols: Readonly<Record<VolMove, bigint>>,
): OptionCircuitInput => ({
  quarterMove,
  forward,
  timeSec,
  strike,
  volsPpm: [vols.same, vols.up, vols.down],
});

/** The outputs of the circuit by its twin, as field elements in their order. */
export function twinOutputs(input: OptionCircuitInput): bigint[] {
  const [same, up, down] = input.volsPpm;
  const underlying = underlyingMoves(input.quarterMove);
  const shared = forwardMoves(input.forward, input.timeSec, input.quarterMove);
  const { call, put } = priceStrike(
    { strike: input.strike, volsPpm: { same, up, down } },
    shared,
    underlying,
  );
  const columns = [call, put].flatMap((option) => [0, 1].flatMap((u) => riskArrayOf(option, 32, u)));
  return [call.mark, put.mark, call.delta, put.delta, ...columns].map(toField);
}

/** All combinations of the ends and a middle of forward, strike and time, each at the least and the largest volatility. */
export function cornerInputs(): OptionCircuitInput[] {
  const forwards = [1_000_000n, 96_543_211n, (1n << 33n) - 1n];
  const strikes = [1n, 101_234_567n, (1n << 35n) - 1n];
  const times = [3_600n, 604_800n, OPTION_TIME_SEC_MAX];
  return forwards.flatMap((forward) =>
    strikes.flatMap((strike) =>
      times.flatMap((timeSec) =>
        [leastVolPpmUp(timeSec), VOL_PPM_MAX].map((vol) =>
          inputOf(131_072n, forward, timeSec, strike, { same: vol, up: VOL_PPM_MAX, down: vol }),
        ),
      ),
    ),
  );
}

/** A generator of fractions in [0, 1): the same numbers in every run, and no row like the last. */
export function* fractions(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    // Park and Miller's generator.
    state = (state * 48_271) % 2_147_483_647;
    yield state / 2_147_483_647;
  }
}

/** Random rows over the whole domain; half of the strikes near the forward, where prices are most curved. */
export function* randomInputs(seed: number): Generator<OptionCircuitInput, never> {
  const random = fractions(seed);
  const next = (): number => random.next().value;
  const between = (least: number, most: number): bigint =>
    BigInt(Math.floor(least * (most / least) ** next()));
  for (;;) {
    const forward = between(1_000_000, 2 ** 33);
    const timeSec = between(3_600, 2 ** 27);
    const least = Number(leastVolPpmUp(timeSec));
    const vol = (): bigint => between(least, 2 ** 23);
    const same = vol();
    const deviation = (Number(same) / 1e6) * Math.sqrt(Number(timeSec) / 31_536_000);
    const near = Number(forward) * Math.exp((6 * next() - 3) * deviation);
    const strike = next() < 0.5 ? Math.min(Math.max(near, 1), 2 ** 35 - 1) : Number(between(1, 2 ** 35));
    yield inputOf(between(1, 131_073), forward, timeSec, BigInt(Math.floor(strike)), {
      same,
      up: vol(),
      down: vol(),
    });
  }
}
