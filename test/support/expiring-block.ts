/** The real oracle and registry with one expiry block, from its listing to its settlement; proofs are not looked at. */
import { network } from 'hardhat';
import type { RoundValues } from '#protocol/risk/oracle-state.ts';
import { instrumentStruct } from '#protocol/risk/oracle-structs.ts';
import { type Registry, RISK_SMALL } from '#protocol/risk/registry.ts';
import { registryOf } from './option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type OracleFixture,
  postHonestRound,
  reportAt,
  START_PRICES,
} from './risk-oracle.ts';
import { deployTestMock } from './rollup.ts';
import { UNCHECKED_PROOF } from './unchecked-proof.ts';

/** A future, a call and its put. */
export const EXPIRING_IDS = [100, 1_000, 1_001];
const STRIKE = 97_000_000n;
const SURFACE = { basisPpb: [0n, 0n], volPpm: [600_000n, 0n, 0n, 0n] };
const PLACES = 12;
const WINDOW_SEC = 1_800n;
/** Ten rounds in a window. */
const ROUND_SEC = 180n;

export class ExpiringBlock {
  readonly fixture: OracleFixture;
  readonly expirySec: bigint;
  readonly #registry: Registry;

  private constructor(fixture: OracleFixture, registry: Registry, expirySec: bigint) {
    this.fixture = fixture;
    this.expirySec = expirySec;
    this.#registry = registry;
  }

  static async deploy(): Promise<ExpiringBlock> {
    const connection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    const expirySec = now + BigInt(2 * DAY_SEC);
    const registry = registryOf([RISK_SMALL], [{ underlying: 0, expirySec, strikes: [STRIKE] }]);
    const fixture = await deployOracle({
      connection,
      segments: [RISK_SMALL],
      settings: { instrumentLimit: 16, registry },
      verifier: async () => (await deployTestMock(connection, 'PermissiveVerifier')).getAddress(),
    });
    return new ExpiringBlock(fixture, registry, expirySec);
  }

  /** Posts a round and has it accepted. */
  async round(timeSec: bigint): Promise<RoundValues> {
    const { oracle } = this.fixture;
    const { lastRound } = await oracle.clock();
    const report = reportAt(lastRound + 1n, timeSec, START_PRICES, [0n, 0n], SURFACE);
    const { struct, values } = await postHonestRound(this.fixture, report);
    const segment = {
      listed: Array.from({ length: PLACES }, (_, place) => instrumentStruct(this.#registry[place])),
      endHash: lastRound + 5n,
      commitment: 7n,
      isSurfaceSound: true,
      proof: UNCHECKED_PROOF,
    };
    await oracle.proveRound(struct, [segment]);
    return values;
  }

  /** The half hour before expiry: whatever round comes at expiry settles the block. */
  async watch(): Promise<void> {
    for (let left = WINDOW_SEC; left > 0n; left -= ROUND_SEC) await this.round(this.expirySec - left);
  }
}
