import { expect } from 'chai';
import type { Contract } from 'ethers';
import fc from 'fast-check';
import { network } from 'hardhat';
import { domainWord as domainWordOf } from '#protocol/batch/words.ts';
import { STANDARD_SHAPE } from '#protocol/limits.ts';
import { DEFAULT_OPTION_PARAMETERS, DEFAULT_REGISTRY } from '#protocol/risk/default-registry.ts';
import { INSTRUMENT_TUPLE } from '#protocol/risk/oracle-abi.ts';
import { type RoundValues, riskRoundInputs } from '#protocol/risk/oracle-state.ts';
import {
  geometryStruct,
  type RoundValuesStruct,
  roundValuesStruct,
  type SegmentProofStruct,
  segmentProofStructs,
} from '#protocol/risk/oracle-structs.ts';
import {
  type OptionParameters,
  placeCount,
  type Registry,
  RISK_MORE,
  RISK_SMALL,
  type SegmentGeometry,
} from '#protocol/risk/registry.ts';
import { riskStatements } from '#protocol/risk/risk-words.ts';
import { type BlockListing, DAY_SEC, inDays, registryOf } from '#test/support/option-registry.ts';
import type { HardhatConnection } from '#test/support/risk-oracle.ts';
import { ROUND_TIME_SEC } from '#test/support/risk-rounds.ts';
import { deployTestMock } from '#test/support/rollup.ts';
import { UNCHECKED_PROOF } from '#test/support/unchecked-proof.ts';

const CIRCUIT_HASH = 77n;
/** Room for both segments. */
const SHAPE = { ...STANDARD_SHAPE, marketSlots: 76 };

describe('RoundProofs: words of a round', function () {
  this.timeout(120_000);
  let connection: HardhatConnection;
  let proofs: Contract;
  let verifiers: Contract[];
  let asker: bigint;

  const deploy = async (segments: readonly SegmentGeometry[]) => {
    connection = await network.connect();
    verifiers = [];
    for (const _ of segments) verifiers.push(await deployTestMock(connection, 'PermissiveVerifier'));
    asker = BigInt((await connection.ethers.getSigners())[0].address);
    proofs = (await connection.ethers.deployContract('RoundProofs', [
      segments.map((geometry, i) => ({
        geometry: geometryStruct(geometry),
        verifier: verifiers[i],
        circuitHash: CIRCUIT_HASH + BigInt(i),
      })),
    ])) as unknown as Contract;
  };

  const hashOf = (segments: readonly SegmentGeometry[], listed: readonly SegmentProofStruct[]): string => {
    const { AbiCoder, keccak256 } = connection.ethers;
    const coder = AbiCoder.defaultAbiCoder();
    const hashes = segments
      .slice(0, listed.length)
      .map((_, s) => keccak256(coder.encode([`${INSTRUMENT_TUPLE}[]`], [listed[s].listed])));
    return keccak256(coder.encode(['bytes32[]'], [hashes]));
  };

  /** What the twin says of a round; each verifier then takes these public inputs and no other. */
  const stated = async (values: RoundValues, registry: Registry, segments: readonly SegmentGeometry[]) => {
    const domains = segments.map((_, i) => domainWordOf(31337n, asker, CIRCUIT_HASH + BigInt(i)));
    const statements = riskStatements(riskRoundInputs(values, registry, segments), SHAPE, domains);
    for (const [s, { publicInputs }] of statements.segments.entries()) {
      const { commitment, challenge, evaluation } = publicInputs;
      await verifiers[s].expectInputs([commitment, challenge, evaluation]);
    }
    const proved = statements.segments.map((segment) => ({ ...segment, proof: UNCHECKED_PROOF }));
    const segmentProofs = segmentProofStructs(registry, proved);
    return {
      struct: roundValuesStruct(values, hashOf(segments, segmentProofs)),
      segmentProofs,
      statements,
    };
  };

  const valuesOf = (changes: Partial<RoundValues> = {}): RoundValues => ({
    roundNumber: 9n,
    timeSec: ROUND_TIME_SEC,
    isJump: false,
    esCount: 1,
    underlyings: [97_000_000_000n, 3_300_000_000n].map((indexMicros, u) => ({
      indexMicros,
      premiumPpm: u === 0 ? 321n : -45n,
      scanRangePpm: 170_000n,
      scanFactorE9: 1_062_500_000n,
      fundingMicrosPerCoin: u === 0 ? -123_456_789n : 987_654n,
      options: DEFAULT_OPTION_PARAMETERS[u],
    })),
    basisPpb: [4_000_000n, -7_500_001n, 12_000_000n, 1n, 0n, 9_999n],
    volPpm: Array.from({ length: 32 }, (_, i) => 500_000n + 7_001n * BigInt(i)),
    settlementMicros: Array<bigint>(6).fill(0n),
    ...changes,
  });

  const btc = (days: bigint, strikes: readonly bigint[]): BlockListing => ({
    underlying: 0,
    expirySec: inDays(days),
    strikes,
  });
  const ether = (days: bigint, strikes: readonly bigint[]): BlockListing => ({
    underlying: 1,
    expirySec: inDays(days),
    strikes,
  });
  const BOTH = [RISK_SMALL, RISK_MORE];
  const BLOCKS = [
    btc(7n, [90_000_000n, 100_000_000n]),
    ether(30n, [33_000_000n]),
    btc(91n, [60_000_000n, 80_000_000n, 95_000_000n, 120_000_000n]),
    undefined,
    ether(365n, []),
    btc(-1n, [97_000_000n]),
  ];

  it('are those of its twin, in one proof and in two', async () => {
    await deploy(BOTH);
    for (const blocks of [BLOCKS.slice(0, 2), BLOCKS]) {
      const { struct, segmentProofs, statements } = await stated(valuesOf(), registryOf(BOTH, blocks), BOTH);
      expect(segmentProofs.length).to.equal(blocks.length > 2 ? 2 : 1);
      const [tableHash, isSurfaceSound] = await proofs.verifyRound(struct, segmentProofs);
      expect(tableHash).to.equal(statements.tableHash);
      expect(isSurfaceSound).to.equal(statements.isSurfaceSound);
    }
  });

  it('are those of its twin for any round and any registry', async () => {
    await deploy([RISK_SMALL]);
    const strikeOf = (price: bigint, share: number) => (price * BigInt(share)) / 1000n;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          days: fc.tuple(fc.bigInt(0n, 730n), fc.bigInt(0n, 730n)),
          seconds: fc.bigInt(0n, 86_399n),
          underlyings: fc.tuple(fc.nat(1), fc.nat(1)),
          shares: fc.tuple(fc.integer({ min: 60, max: 990 }), fc.integer({ min: 1_000, max: 19_000 })),
          counts: fc.tuple(fc.nat(3), fc.nat(3)),
          basis: fc.tuple(fc.bigInt(-500_000_000n, 500_000_000n), fc.bigInt(-500_000_000n, 500_000_000n)),
          vols: fc.array(fc.bigInt(1n, 8_000_000n), { minLength: 4, maxLength: 4 }),
          premium: fc.bigInt(-10_000n, 10_000n),
          funding: fc.bigInt(-(1n << 49n), 1n << 49n),
          isReduceOnly: fc.boolean(),
          settled: fc.tuple(
            fc.option(fc.bigInt(700n, 1_300n), { freq: 2 }),
            fc.option(fc.bigInt(700n, 1_300n), { freq: 2 }),
          ),
        }),
        async (choice) => {
          const prices = [97_000_000n, 33_000_000n];
          const blocks = [0, 1].map((b): BlockListing | undefined => {
            // 3 stands for an empty block.
            if (choice.counts[b] === 3) return undefined;
            const underlying = choice.underlyings[b];
            const strikes = choice.shares.map((share) => strikeOf(prices[underlying], share));
            return {
              underlying,
              expirySec:
                choice.settled[b] === null
                  ? inDays(choice.days[b]) + choice.seconds
                  : inDays(0n) - choice.seconds,
              strikes: strikes.slice(0, choice.counts[b]),
              isReduceOnly: choice.isReduceOnly,
            };
          });
          const base = valuesOf();
          const isListed = (b: number, k: number) =>
            choice.settled[b] === null && (blocks[b]?.strikes.length ?? 0) > k;
          const values = valuesOf({
            underlyings: base.underlyings.map((underlying) => ({
              ...underlying,
              premiumPpm: choice.premium,
              fundingMicrosPerCoin: choice.funding,
            })),
            basisPpb: choice.basis.map((basis, b) =>
              blocks[b] === undefined || choice.settled[b] !== null ? 0n : basis,
            ),
            volPpm: choice.vols.map((vol, i) => (isListed(i >> 1, i & 1) ? vol : 0n)),
            settlementMicros: blocks.map((block, b) =>
              block === undefined
                ? 0n
                : prices[block.underlying] * (choice.settled[b] ?? 0n) + (choice.settled[b] ?? 0n),
            ),
          });
          const { struct, segmentProofs, statements } = await stated(
            values,
            registryOf([RISK_SMALL], blocks),
            [RISK_SMALL],
          );
          const [tableHash] = await proofs.verifyRound(struct, segmentProofs);
          expect(tableHash).to.equal(statements.tableHash);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('change with every value that a table depends on', async () => {
    await deploy(BOTH);
    const values = valuesOf();
    const { struct, segmentProofs } = await stated(values, registryOf(BOTH, BLOCKS), BOTH);
    await proofs.verifyRound(struct, segmentProofs);
    const [first, second] = struct.underlyings;
    const changed = (list: readonly bigint[], place: number) =>
      list.map((value, i) => (i === place ? value + 1n : value));
    // The unit of the size add-on is no part of a table: batches read it from word 8.
    const options = (Object.keys(first.options) as (keyof OptionParameters)[]).filter(
      (field) => field !== 'addOnUnitDollars',
    );
    const changes: [what: string, change: Partial<RoundValuesStruct>][] = [
      ['round', { roundNumber: 10n }],
      ['time', { timeSec: struct.timeSec + DAY_SEC }],
      ...(['indexMicros', 'premiumPpm', 'scanRangePpm', 'fundingMicrosPerCoin'] as const).map(
        (field): [string, Partial<RoundValuesStruct>] => [
          field,
          { underlyings: [{ ...first, [field]: first[field] + 10_000n }, second] },
        ],
      ),
      ['factor', { underlyings: [first, { ...second, scanFactorE9: second.scanFactorE9 + 100_000n }] }],
      ...options.map((field): [string, Partial<RoundValuesStruct>] => [
        field,
        {
          underlyings: [
            { ...first, options: { ...first.options, [field]: first.options[field] + 100_000n } },
            second,
          ],
        },
      ]),
      ...[0, 1, 2, 4, 5].map((b): [string, Partial<RoundValuesStruct>] => [
        `basis ${b}`,
        { basisPpb: changed(struct.basisPpb, b) },
      ]),
      ...[0, 1, 2, 4, 5, 6, 7, 25].map((k): [string, Partial<RoundValuesStruct>] => [
        `vol ${k}`,
        { volPpm: changed(struct.volPpm, k) },
      ]),
    ];
    for (const [what, change] of changes) {
      await expect(
        proofs.verifyRound({ ...struct, ...change }, segmentProofs),
        what,
      ).to.be.revertedWithCustomError(proofs, 'InvalidRiskProof');
    }
  });

  it('bind the settlement price of a block, and none where it is not settled', async () => {
    await deploy(BOTH);
    const base = valuesOf();
    const last = BLOCKS.length - 1;
    const settled = (settlementMicros: bigint) =>
      valuesOf({
        basisPpb: base.basisPpb.map((basis, b) => (b === last ? 0n : basis)),
        volPpm: base.volPpm.map((vol, k) => (k === 25 ? 0n : vol)),
        settlementMicros: BLOCKS.map((_, b) => (b === last ? settlementMicros : 0n)),
      });
    const registry = registryOf(BOTH, BLOCKS);
    const { struct, segmentProofs, statements } = await stated(settled(97_123_456_789n), registry, BOTH);
    expect(statements.table.rows.filter(({ isSettled }) => isSettled).map(({ mark }) => mark)).to.deep.equal([
      97_123_457n,
      123_457n,
      0n,
    ]);
    const [tableHash] = await proofs.verifyRound(struct, segmentProofs);
    expect(tableHash).to.equal(statements.tableHash);
    const refused = (settlementMicros: readonly bigint[]) =>
      expect(proofs.verifyRound({ ...struct, settlementMicros }, segmentProofs))
        .to.be.revertedWithCustomError(proofs, 'InvalidRiskProof')
        .withArgs(9, 1);
    // A micro beside it, the block's again without a price, and a price of a block that is not settled.
    for (const price of [97_123_456_790n, 97_123_456_788n, 0n])
      await refused(struct.settlementMicros.map((old, b) => (b === last ? price : old)));
    await refused(struct.settlementMicros.map((old, b) => (b === 2 ? 97_123_456_789n : old)));
  });

  it('are another oracle’s for another caller', async () => {
    await deploy([RISK_SMALL]);
    const { struct, segmentProofs } = await stated(valuesOf(), registryOf([RISK_SMALL], []), [RISK_SMALL]);
    const [, other] = await connection.ethers.getSigners();
    await expect((proofs.connect(other) as Contract).verifyRound(struct, segmentProofs))
      .to.be.revertedWithCustomError(proofs, 'InvalidRiskProof')
      .withArgs(9, 0);
  });

  describe('over two segments', () => {
    let struct: RoundValuesStruct;
    let segmentProofs: SegmentProofStruct[];
    before(async () => {
      await deploy(BOTH);
      ({ struct, segmentProofs } = await stated(valuesOf(), registryOf(BOTH, BLOCKS), BOTH));
    });
    const refused = (list: readonly SegmentProofStruct[], error: string) =>
      expect(proofs.verifyRound(struct, list)).to.be.revertedWithCustomError(proofs, error);

    it('refuse a table without its second segment, twice the first, or both the wrong way round', async () => {
      const [first, second] = segmentProofs;
      await refused([], 'SegmentCount');
      await refused([first], 'RegistryNotOfRound');
      await refused([first, first], 'RegistryNotOfRound');
      await refused([second, first], 'RegistryNotOfRound');
      await refused([first, second, second], 'SegmentCount');
    });

    it('refuse a first segment that calls itself the whole table', async () => {
      // Honest words of the first segment alone, for a registry that ends there: another hash.
      const alone = await stated(valuesOf(), registryOf(BOTH, BLOCKS.slice(0, 2)), BOTH);
      await expect(
        proofs.verifyRound({ ...alone.struct, registryHash: struct.registryHash }, alone.segmentProofs),
      )
        .to.be.revertedWithCustomError(proofs, 'RegistryNotOfRound')
        .withArgs(struct.registryHash, alone.struct.registryHash);
      await stated(valuesOf(), registryOf(BOTH, BLOCKS), BOTH);
    });

    it('refuse an empty second segment where the registry has one', async () => {
      const alone = await stated(valuesOf(), registryOf(BOTH, BLOCKS.slice(0, 2)), BOTH);
      const [, second] = segmentProofs;
      const empty = { ...second, listed: second.listed.map((listed) => ({ ...listed, id: 0n })) };
      expect(empty.listed).to.have.length(placeCount(RISK_MORE));
      await expect(
        proofs.verifyRound(alone.struct, [...alone.segmentProofs, empty]),
      ).to.be.revertedWithCustomError(proofs, 'RegistryNotOfRound');
      await stated(valuesOf(), registryOf(BOTH, BLOCKS), BOTH);
    });

    it('refuse a chain of hashes that is broken between them', async () => {
      const [first, second] = segmentProofs;
      const verdictOf = (list: readonly SegmentProofStruct[], segment: number) =>
        expect(proofs.verifyRound(struct, list))
          .to.be.revertedWithCustomError(proofs, 'InvalidRiskProof')
          .withArgs(9, segment);
      await verdictOf([{ ...first, endHash: first.endHash + 1n }, second], 0);
      await verdictOf([first, { ...second, endHash: second.endHash + 1n }], 1);
      // Even where the first segment has a proof of its other end, the second begins elsewhere.
      const open = await deployTestMock(connection, 'PermissiveVerifier');
      await connection.provider.request({
        method: 'hardhat_setCode',
        params: [await verifiers[0].getAddress(), await connection.ethers.provider.getCode(open)],
      });
      await connection.provider.request({
        method: 'hardhat_setStorageAt',
        params: [await verifiers[0].getAddress(), '0x0', `0x${'00'.repeat(32)}`],
      });
      await verdictOf([{ ...first, endHash: first.endHash + 1n }, second], 1);
      await proofs.verifyRound(struct, [first, second]);
    });
  });

  it('are unsound as soon as one segment says so', async () => {
    await deploy(BOTH);
    const crossed = valuesOf({
      volPpm: valuesOf().volPpm.map((vol, k) => (k === 5 ? 8_000_000n : vol)),
    });
    const { struct, segmentProofs, statements } = await stated(crossed, registryOf(BOTH, BLOCKS), BOTH);
    expect(statements.segments.map(({ isSurfaceSound }) => isSurfaceSound)).to.deep.equal([true, false]);
    expect((await proofs.verifyRound(struct, segmentProofs)).isSurfaceSound).to.equal(false);
    const lie = segmentProofs.map((proof) => ({ ...proof, isSurfaceSound: true }));
    await expect(proofs.verifyRound(struct, lie)).to.be.revertedWithCustomError(proofs, 'InvalidRiskProof');
  });

  it('refuse calldata of a registry that is not encoded cleanly', async () => {
    await deploy([RISK_SMALL]);
    const { struct, segmentProofs } = await stated(valuesOf(), registryOf([RISK_SMALL], []), [RISK_SMALL]);
    const data = proofs.interface.encodeFunctionData('verifyRound', [struct, segmentProofs]);
    const id = DEFAULT_REGISTRY[0].id;
    const lot = DEFAULT_REGISTRY[0].lotE8.toString(16).padStart(64, '0');
    const place = data.indexOf(lot);
    expect(place, `lot of instrument ${id}`).to.be.greaterThan(0);
    const dirty = `${data.slice(0, place)}01${data.slice(place + 2)}`;
    const [caller] = await connection.ethers.getSigners();
    await expect(caller.call({ to: proofs, data: dirty })).to.be.revertedWithCustomError(
      proofs,
      'RegistryNotOfRound',
    );
  });
});
