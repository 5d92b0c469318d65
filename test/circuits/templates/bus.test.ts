/** The templates of circuits/bus one by one, against their twins. */
import fc from 'fast-check';
import {
  type CommittedBatch,
  commitmentOf,
  commitmentValues,
  firstChallenges,
  type ListValues,
  listValues,
} from '#protocol/batch/commitment.ts';
import { evaluationOf } from '#protocol/batch/words.ts';
import { fieldInverse, toField } from '#protocol/crypto/field.ts';
import { poseidonChain } from '#protocol/crypto/poseidon.ts';
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { list } from '#test/support/circuits/arbitrary-account.ts';
import { gammaPowers } from '#test/support/circuits/bus.ts';
import { committedPart, EMPTY_BATCH } from '#test/support/circuits/event-rows.ts';
import { fieldElement, RUNS, template } from '#test/support/circuits/template.ts';

const BUS = 'circuits/bus/bus.circom';

describe('bus entry', () => {
  const entry = template(BUS, 'BusEntry()');
  const anyQuotient = template(BUS, 'BusEntry()', ['quotient']);
  const LINE = 'BusEntry: quotient * (alpha - key) === amount;';

  it('is amount over distance, and no other quotient', async () => {
    await fc.assert(
      fc.asyncProperty(
        fieldElement,
        fieldElement,
        fieldElement,
        fieldElement,
        async (alpha, key, amount, other) => {
          fc.pre(alpha !== key);
          const quotient = toField(amount * fieldInverse(toField(alpha - key)));
          await (await entry()).equals({ alpha, key, amount }, { quotient });
          await (await anyQuotient()).accepts({ alpha, key, amount, quotient });
          for (const wrong of [other, quotient + 1n, 0n].filter((named) => named !== quotient))
            await (await anyQuotient()).refuses({ alpha, key, amount, quotient: wrong }, LINE);
        },
      ),
      RUNS,
    );
    const atRandom = async (alpha: bigint, key: bigint, amount: bigint): Promise<void> => {
      if (alpha !== key) await (await entry()).leavesNoChoice({ alpha, key, amount });
    };
    await fc.assert(fc.asyncProperty(fieldElement, fieldElement, fieldElement, atRandom), RUNS);
  });

  it('at the key itself carries no amount', async () => {
    await (await entry()).equals({ alpha: 5, key: 5, amount: 0 }, { quotient: 0 });
    await (await entry()).refuses({ alpha: 5, key: 5, amount: 1 }, LINE);
  });
});

describe('digits and powers', () => {
  const digit = template(BUS, 'UsedDigit(3)');
  const powers = template(BUS, 'Powers(5)');

  it('one digit of a nonce word', async () => {
    for (let at = 0; at < 32; at++)
      await (await digit()).equals(
        { bits: [0, 1, 2, 3, 4].map((i) => (at >> i) & 1) },
        { digit: 1n << BigInt(3 * at) },
      );
    await (await digit()).leavesNoChoice({ bits: [1, 0, 1, 1, 0] });
  });

  it('powers of a base', async () => {
    await fc.assert(
      fc.asyncProperty(fieldElement, async (base) => {
        const expected = [0n, 1n, 2n, 3n, 4n].map((i) => toField(base ** i));
        await (await powers()).equals({ base }, { powers: expected });
      }),
      RUNS,
    );
    await (await powers()).leavesNoChoice({ base: 7 });
  });
});

describe('value of a list', () => {
  const SCENARIOS = 4;
  const functional = template('circuits/bus/functionals.circom', `Functional(${SCENARIOS})`);
  const names = [
    'mark',
    'funding',
    'spotMark',
    'spotHaircut',
    'chargeIm',
    'chargeMm',
    'band',
    'penalty',
  ] as const;
  const COUNT = names.length + UNDERLYINGS.length;

  it('weighs losses, then the values in the order of the commitment', async () => {
    const gamma = gammaPowers(SCENARIOS + COUNT);
    await fc.assert(
      fc.asyncProperty(list(fieldElement, SCENARIOS), list(fieldElement, COUNT), async (losses, drawn) => {
        const values = {
          ...Object.fromEntries(names.map((name, v) => [name, drawn[v]])),
          deltas: drawn.slice(names.length),
        } as unknown as ListValues;
        const all = [...losses, ...listValues(values)];
        const total = all.reduce((sum, value, i) => sum + value * gamma[i], 0n);
        await (await functional()).equals({ losses, values: listValues(values), gamma }, { total });
      }),
      RUNS,
    );
    await (await functional()).leavesNoChoice({
      losses: [1, 2, 3, 4],
      values: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
      gamma,
    });
  });
});

describe('public words', () => {
  const words = template('circuits/bus/public-words.circom', 'EvaluateWords(5)');

  it('are evaluated as their twin evaluates them', async () => {
    await fc.assert(
      fc.asyncProperty(list(fieldElement, 5), fieldElement, async (drawn, challenge) => {
        await (await words()).equals(
          { words: drawn, challenge },
          { evaluation: evaluationOf(drawn, challenge) },
        );
      }),
      RUNS,
    );
    await (await words()).leavesNoChoice({ words: [1, 2, 3, 4, 5], challenge: 6 });
  });
});

describe('challenges', () => {
  const COMMITMENT = 'circuits/bus/commitment.circom';
  const first = template(COMMITMENT, 'FirstChallenges()');
  const last = template(COMMITMENT, 'LastChallenge(2)');

  it('are derived as their twin derives them', async () => {
    await fc.assert(
      fc.asyncProperty(fieldElement, list(fieldElement, 4), async (challenge, weights) => {
        await (await first()).equals({ challenge }, { ...firstChallenges(challenge) });
        await (await last()).equals(
          { challenge, longWeights: [weights[0], weights[2]], shortWeights: [weights[1], weights[3]] },
          { alpha: poseidonChain([challenge, ...weights]) },
        );
      }),
      { numRuns: 8 },
    );
  });
});

describe('commitment', () => {
  // Eight losses are two elements.
  const PER_ACCOUNT = 3 + 2 + 8 + 2 * 10;
  const commitment = template(
    'circuits/bus/commitment.circom',
    `BatchCommitment(2, 2, 1, ${PER_ACCOUNT}, 1, 1, 1, 1, 1)`,
  );
  const values = (n: bigint): ListValues => ({
    mark: n,
    funding: -n,
    spotMark: n + 1n,
    spotHaircut: n + 2n,
    chargeIm: n + 3n,
    chargeMm: n + 4n,
    band: n + 5n,
    penalty: n + 6n,
    deltas: [n + 7n, -n - 8n],
  });
  const full = (n: bigint, isSet: boolean): CommittedBatch => ({
    header: [n + 1n, n + 2n],
    events: [n + 3n, n + 4n],
    accounts: [
      {
        accountIndex: 5,
        isTouched: isSet,
        isEpochChanged: !isSet,
        isRaised: isSet,
        isLiquidated: !isSet,
        isFundPaid: isSet,
        orderCount: 6,
        activityCount: 7,
        keyUses: 8,
        treasuryMicros: n + 9n,
        isShrinking: [isSet, !isSet, isSet],
        isRecordChanged: [!isSet, isSet],
        feesMicros: n + 10n,
        threshold: -n,
        oldLosses: [1n, 2n, 3n, 4n, 5n, 6n, 7n, -n],
        newLosses: [8n, 7n, 6n, 5n, 4n, 3n, 2n, n],
        oldValues: values(n),
        newValues: values(n + 7n),
      },
    ],
    instruments: [
      {
        isUsed: isSet,
        rowHash: n + 11n,
        oldInterestLots: 12n,
        restLots: 13n,
        marketSlot: 3,
        openingFills: 4,
        shrinkingFills: 5,
        isWithinCap: !isSet,
      },
    ],
    signatures: [n + 14n],
    messages: [
      {
        packed: n + 15n,
        signatureIndex: 1,
        windowWords: 2,
        isShrinking: isSet,
        isContinued: !isSet,
        isRaising: isSet,
        instrumentIndex: 24,
        capRoomLots: 25n,
        fillLots: 16n,
        restLots: 17n,
        cashMicros: 18n,
        feeMicros: 19n,
      },
    ],
    withdrawals: [{ packed: n + 20n, signatureIndex: 1, isRaising: isSet, isShrinking: !isSet }],
    settlements: [{ isUsed: isSet, accountIndex: 21, instrumentId: 22, isShort: !isSet, lots: 23n }],
    flags: { hasRow: [isSet, true], isSignatureUsed: [!isSet], isShrinking: [isSet] },
  });

  it('hashes every part of the batch in the order of its twin', async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt(0n, 1n << 60n), fc.boolean(), async (n, isSet) => {
        const batch = full(n, isSet);
        // Each part alone, without the flags that end every list.
        const part = <K extends keyof CommittedBatch>(name: K) => committedPart({ [name]: batch[name] });
        await (await commitment()).equals(
          {
            header: part('header'),
            events: part('events'),
            accounts: [part('accounts')],
            instruments: [part('instruments')],
            signatures: part('signatures'),
            messages: [part('messages')],
            withdrawals: part('withdrawals'),
            settlements: part('settlements'),
            flags: commitmentValues({ ...EMPTY_BATCH, flags: batch.flags }, TINY_SHAPE)[0],
          },
          { commitment: commitmentOf(batch, TINY_SHAPE) },
        );
      }),
      { numRuns: 8 },
    );
  });
});
