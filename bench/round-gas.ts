/**
 * L1 gas of an oracle round, posted and proved, data included: by what is listed and how many sign. Oracle, registry and
 * proof checks are the real ones; the verifier of each segment does all its work and then says yes. The first round
 * writes slots for the first time, the second is what every further one costs. Prints JSON.
 */
import { network } from 'hardhat';
import { TINY_SHAPE } from '#protocol/limits.ts';
import { instrumentStruct } from '#protocol/risk/oracle-structs.ts';
import { emptySurface } from '#protocol/risk/oracle-surface.ts';
import {
  placeCount,
  placesOfAll,
  RISK_64,
  RISK_MORE,
  RISK_SMALL,
  type SegmentGeometry,
  slotsOf,
} from '#protocol/risk/registry.ts';
import { registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type OracleFixture,
  reportAt,
  roundPosted,
  START_PRICES,
  signReports,
} from '#test/support/risk-oracle.ts';
import { riskProver } from '#test/support/risk-prover.ts';
import { pointsOf, yesVerifier } from './yes-verifier.ts';

interface Row {
  readonly listed: string;
  readonly signers: number;
  readonly postGas: number;
  readonly proveGas: number;
}

const prover = await riskProver('circuits/main/risk-tiny.circom', TINY_SHAPE);
const verifier = await yesVerifier(prover);
const proof = pointsOf(prover.key.verificationKey);
await prover.close();

/** Every block full, or nothing but spot and perpetuals. */
async function deployed(segments: readonly SegmentGeometry[], isFull: boolean): Promise<OracleFixture> {
  const connection = await network.connect();
  const now = BigInt(await connection.networkHelpers.time.latest());
  const blockCount = segments.reduce((sum, { blocks }) => sum + blocks, 0);
  const widest = Math.max(...segments.map(({ strikesPerBlock }) => strikesPerBlock));
  const blocks = Array.from({ length: isFull ? blockCount : 0 }, (_, b) => ({
    underlying: b % 2,
    expirySec: now + BigInt((b + 1) * 30 * DAY_SEC),
    strikes: Array.from(
      { length: widest },
      (__, k) => [90_000_000n, 30_000_000n][b % 2] + BigInt(k) * 2_000_000n,
    ),
  }));
  return deployOracle({
    connection,
    segments,
    settings: { registry: registryOf(segments, blocks), instrumentLimit: 128 },
    verifier: async ({ ethers }) => {
      const [deployer] = await ethers.getSigners();
      const factory = new ethers.ContractFactory(verifier.abi, verifier.bytecode, deployer);
      return (await (await factory.deploy()).waitForDeployment()).getAddress();
    },
  });
}

async function round(fixture: OracleFixture, signers: number): Promise<Omit<Row, 'listed' | 'signers'>> {
  const { oracle, connection, segments, settings } = fixture;
  const { lastRound } = await oracle.clock();
  const timeSec = BigInt(await connection.networkHelpers.time.latest()) + 60n;
  const { basisPpb, volPpm } = emptySurface(segments);
  const surface = { basisPpb: basisPpb.map(() => 2_345_678n), volPpm: volPpm.map(() => 612_345n) };
  const report = reportAt(lastRound + 1n, timeSec, START_PRICES, [55n, -20n], surface);
  const signed = await signReports(
    fixture,
    fixture.signers.slice(0, signers).map((signer) => [signer, report] as const),
  );
  await connection.networkHelpers.time.setNextBlockTimestamp(timeSec);
  const receipt = await (await oracle.postRound(signed.reports, signed.signatures)).wait();
  const { struct } = roundPosted(fixture, receipt);
  let place = 0;
  const inUse = Number(await fixture.parameters.segmentsInUse());
  const proofs = segments.slice(0, inUse).map((geometry) => ({
    listed: Array.from({ length: placeCount(geometry) }, () => instrumentStruct(settings.registry[place++])),
    // No byte of a hash is zero.
    endHash: BigInt(`0x1f${'a7'.repeat(31)}`),
    commitment: BigInt(`0x1e${'b3'.repeat(31)}`),
    isSurfaceSound: true,
    proof,
  }));
  const proved = await (await oracle.proveRound(struct, proofs)).wait();
  return { postGas: Number(receipt.gasUsed), proveGas: Number(proved.gasUsed) };
}

const rows: Row[] = [];
for (const [segments, isFull] of [
  [[RISK_SMALL], false],
  [[RISK_SMALL], true],
  [[RISK_SMALL, RISK_MORE], true],
  [[RISK_64], true],
] as const) {
  const strikes = placesOfAll(segments).filter(({ kind }) => kind === 'strike').length;
  const blocks = placesOfAll(segments).filter(({ kind }) => kind === 'future').length;
  const slots = segments.reduce((sum, geometry) => sum + slotsOf(geometry), 0);
  const names = segments.map(({ name }) => name).join(' + ');
  const listed = isFull ? `${blocks} futures, ${strikes} strikes` : 'spot and perpetuals';
  const fixture = await deployed(segments, isFull);
  const first = await round(fixture, 3);
  rows.push({ listed: `${names} (${slots} slots), ${listed}, first round`, signers: 3, ...first });
  for (const signers of [3, 5]) {
    rows.push({ listed: `${names}, ${listed}`, signers, ...(await round(fixture, signers)) });
  }
}
console.log(JSON.stringify({ question: 'L1 gas of an oracle round', hardfork: 'osaka', rows }, null, 2));
