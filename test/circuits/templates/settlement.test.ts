/** circuits/row/settlement.circom alone, against its twins in protocol/ and at every bound. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type Account, emptyAccount } from '#protocol/account.ts';
import type { BatchContent, SettlementExecution } from '#protocol/batch/batch.ts';
import { INSTRUMENT_ID_BITS, TINY_SHAPE } from '#protocol/limits.ts';
import { refuseRetirement, refuseSettlements } from '#protocol/transition/settlement-rules.ts';
import type { Lots, MicrosPerLot } from '#protocol/units.ts';
import { SIZE_MAX } from '#test/support/circuits/arbitrary-account.ts';
import { busSum, CHALLENGES } from '#test/support/circuits/bus.ts';
import { ACCOUNTS, committedPart } from '#test/support/circuits/event-rows.ts';
import { HALF, template } from '#test/support/circuits/template.ts';
import { batchHeader, OTHER, PERP, riskTable, SPOT, settledRow } from '#test/support/ledger.ts';

const FILE = 'circuits/row/settlement.circom';
const MARK = 107n;
const table = riskTable({}, { [PERP]: { ...settledRow(0n), mark: MARK as MicrosPerLot } });
const MARKETS = {
  instrumentIds: [SPOT, PERP, OTHER],
  isSettled: [0, 1, 0],
};

describe('settlement row', () => {
  const row = template(FILE, 'SettlementRow(2, 3)');
  const anyInverse = template(FILE, 'SettlementRow(2, 3)', ['lotsInverse']);
  const ACCOUNT = ACCOUNTS[1];
  const SETTLE: SettlementExecution = {
    accountIndex: Number(ACCOUNT),
    instrumentId: PERP,
    isShort: false,
    lots: 3n,
  };
  const inputOf = (settlement: SettlementExecution) => ({
    isUsed: 1,
    ...settlement,
    accountIndexes: ACCOUNTS,
    ...MARKETS,
    marks: [50n, MARK, 60n],
    ...CHALLENGES,
  });
  function twinOutputs(settlement: SettlementExecution) {
    const { isShort, lots } = settlement;
    const size = isShort ? -lots : lots;
    const [id, account] = [BigInt(settlement.instrumentId), BigInt(settlement.accountIndex)];
    return {
      isHere: [0, 1],
      positionKey: (account << 20n) + id,
      committed: committedPart({ settlements: [{ isUsed: true, ...settlement }] })[0],
      busSum: busSum([
        { tag: 'position', bit: true, fields: [id, account], amount: size },
        { tag: 'cash', fields: [0n, account], amount: -size * MARK },
      ]),
    };
  }
  const holding = ({ instrumentId, isShort, lots }: SettlementExecution): Account => {
    const none = emptyAccount(TINY_SHAPE);
    const slot = { instrumentId, size: (isShort ? -lots : lots) as Lots };
    return { ...none, slots: [slot, ...none.slots.slice(1)] };
  };
  const refuses = async (change: object, line: string): Promise<void> =>
    (await row()).refuses({ ...inputOf(SETTLE), ...change }, `SettlementRow: ${line}`);

  it('converts what its twin does, at the mark, with its entries', async () => {
    const settlements = fc.record({
      accountIndex: fc.constant(Number(ACCOUNT)),
      instrumentId: fc.constantFrom(PERP, PERP, OTHER),
      isShort: fc.boolean(),
      lots: fc.bigInt(1n, SIZE_MAX),
    });
    await fc.assert(
      fc.asyncProperty(settlements, async (settlement) => {
        const content = {
          header: batchHeader({ table }),
          settlements: [settlement],
        } as unknown as BatchContent;
        const isRight = refuseSettlements(content, () => holding(settlement)) === undefined;
        if (isRight) await (await row()).equals(inputOf(settlement), twinOutputs(settlement));
        else await refuses(settlement, 'isItSettled === isUsed;');
      }),
      { numRuns: 60 },
    );
  });

  it('finds its account and a settled instrument', async () => {
    const FIND_ACCOUNT = 'isHere <== FindKey(ACCOUNTS)(accountIndexes, accountIndex, isUsed);';
    await refuses({ accountIndexes: [5n, 78n] }, FIND_ACCOUNT);
    const FIND_INSTRUMENT =
      'signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, instrumentId, isUsed);';
    await refuses({ instrumentId: 99 }, FIND_INSTRUMENT);
    await refuses({ isSettled: [1, 0, 1] }, 'isItSettled === isUsed;');
    const WIDE = `RangeCheck(INSTRUMENT_ID_BITS())(instrumentId);`;
    const wide = 1n << BigInt(INSTRUMENT_ID_BITS);
    await refuses({ instrumentId: wide, instrumentIds: [SPOT, wide, OTHER] }, WIDE);
  });

  it('keeps to its widths and bits', async () => {
    for (const lots of [1n, SIZE_MAX])
      await (await row()).equals(inputOf({ ...SETTLE, lots }), twinOutputs({ ...SETTLE, lots }));
    for (const lots of [SIZE_MAX + 1n, -1n, HALF]) await refuses({ lots }, 'RangeCheck(SIZE_BITS())(lots);');
    await refuses({ lots: 0n }, 'lots * lotsInverse === isUsed;');
    for (const bit of [2n, HALF]) {
      await refuses({ isShort: bit }, 'RequireBit()(isShort);');
      await refuses({ isUsed: bit }, 'RequireBit()(isUsed);');
    }
  });

  it('without a position is all zero and does nothing', async () => {
    const idle = { ...inputOf(SETTLE), isUsed: 0, accountIndex: 0, instrumentId: 0, lots: 0n };
    const nothing = { isHere: [0, 0], positionKey: 0, committed: 0, busSum: 0 };
    await (await row()).equals(idle, nothing);
    const unused = async (change: object, line: string): Promise<void> =>
      (await row()).refuses({ ...idle, ...change }, `SettlementRow: ${line}`);
    await unused({ accountIndex: ACCOUNT }, '(1 - isUsed) * accountIndex === 0;');
    await unused({ instrumentId: PERP }, '(1 - isUsed) * instrumentId === 0;');
    await unused({ isShort: 1 }, '(1 - isUsed) * (isShort + lots) === 0;');
    await unused({ lots: 1n }, '(1 - isUsed) * (isShort + lots) === 0;');
  });

  it('leaves the prover no choice', async () => {
    await (await row()).leavesNoChoice(inputOf(SETTLE));
    await (await row()).leavesNoChoice(inputOf({ ...SETTLE, isShort: true, lots: 5n }));
    for (const lotsInverse of [0n, 1n, HALF]) {
      const lie = { ...inputOf(SETTLE), lotsInverse };
      await (await anyInverse()).refuses(lie, 'SettlementRow: lots * lotsInverse === isUsed;');
    }
  });
});

describe('retirement word', () => {
  const word = template(FILE, 'Retirement(3)');
  const inputOf = (instrumentId: number | bigint, newInterestLots: readonly bigint[] = [9n, 0n, 0n]) => ({
    instrumentId,
    ...MARKETS,
    newInterestLots,
  });

  it('retires what its twin does', async () => {
    const lots = fc.constantFrom(0n, 0n, 1n, SIZE_MAX);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, SPOT, PERP, OTHER, 99), lots, async (instrumentId, held) => {
        const content = { header: batchHeader({ table }), retiredInstrument: instrumentId };
        // Spot, the perp and the other stand in the first three market slots.
        const isRight = refuseRetirement([9n, held, 0n], content as BatchContent) === undefined;
        expect(await (await word()).isAccepted(inputOf(instrumentId, [9n, held, 0n]))).to.equal(isRight);
      }),
      { numRuns: 60 },
    );
  });

  it('names why not', async () => {
    const refuses = async (input: ReturnType<typeof inputOf>, line: string): Promise<void> =>
      (await word()).refuses(input, `Retirement: ${line}`);
    await refuses(inputOf(PERP, [0n, 1n, 0n]), 'heldLots === 0;');
    await refuses(inputOf(OTHER), 'isItSettled === isRetiring;');
    await refuses(
      inputOf(99),
      'signal isInstrument[INSTRUMENTS] <== FindKey(INSTRUMENTS)(instrumentIds, instrumentId, isRetiring);',
    );
  });

  it('leaves the prover no choice', async () => {
    await (await word()).leavesNoChoice(inputOf(PERP));
    // Where nothing is retired the inverse of the id is free, and nothing reads it.
    await (await word()).accepts(inputOf(0));
  });
});
