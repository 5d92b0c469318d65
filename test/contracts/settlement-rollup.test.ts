import { expect } from 'chai';
import { network } from 'hardhat';
import { instrumentStruct } from '#protocol/risk/oracle-structs.ts';
import { type Registry, RISK_SMALL } from '#protocol/risk/registry.ts';
import { L1Contracts } from '#sequencer/settlement/l1-contracts.ts';
import { registryOf } from '#test/support/option-registry.ts';
import {
  DAY_SEC,
  deployOracle,
  type OracleFixture,
  postHonestRound,
  reportAt,
  START_PRICES,
} from '#test/support/risk-oracle.ts';
import { deployRollup, deployTestMock, type RollupFixture, restoreAfterEach } from '#test/support/rollup.ts';
import { sizesOf } from '#test/support/settlement.ts';
import { UNCHECKED_PROOF } from '#test/support/unchecked-proof.ts';

/** A future, a call and its put. */
const IDS = [100, 1_000, 1_001];
const SURFACE = { basisPpb: [0n, 0n], volPpm: [600_000n, 0n, 0n, 0n] };

/** Oracle, registry and rollup are the real ones; only proofs are not looked at. */
describe('a block from its expiry to its clearing, on L1', () => {
  let fixture: OracleFixture;
  let registry: Registry;
  let rollup: RollupFixture;
  let expirySec: bigint;

  /** Posts a round and has it accepted. */
  const round = async (timeSec: bigint) => {
    const { lastRound } = await fixture.oracle.clock();
    const { struct, values } = await postHonestRound(
      fixture,
      reportAt(lastRound + 1n, timeSec, START_PRICES, [0n, 0n], SURFACE),
    );
    const segment = {
      listed: Array.from({ length: 12 }, (_, place) => instrumentStruct(registry[place])),
      endHash: 5n,
      commitment: 7n,
      isSurfaceSound: true,
      proof: UNCHECKED_PROOF,
    };
    await fixture.oracle.proveRound(struct, [segment]);
    return values;
  };

  before(async () => {
    const connection = await network.connect();
    const now = BigInt(await connection.networkHelpers.time.latest());
    expirySec = now + BigInt(2 * DAY_SEC);
    registry = registryOf([RISK_SMALL], [{ underlying: 0, expirySec, strikes: [97_000_000n] }]);
    fixture = await deployOracle({
      connection,
      segments: [RISK_SMALL],
      settings: { instrumentLimit: 16, registry },
      verifier: async () => (await deployTestMock(connection, 'PermissiveVerifier')).getAddress(),
    });
    for (let left = 1_800n; left > 0n; left -= 180n) await round(expirySec - left);
    rollup = await deployRollup({ oracle: { connection, contract: fixture.oracle } });
  });
  restoreAfterEach(() => fixture);

  it('settles, is retired by the batches of its rollup, and makes room', async () => {
    const { parameters } = fixture;
    await parameters.bindRollup(rollup.rollup);
    const values = await round(expirySec);
    expect(values.settlementMicros[0]).to.equal(START_PRICES[0]);
    for (const [i, id] of IDS.entries()) {
      await expect(parameters.clearBlock(0))
        .to.be.revertedWithCustomError(parameters, 'BlockInUse')
        .withArgs(0, IDS.length - i);
      await expect(rollup.submit({ body: { retirement: BigInt(id) } }))
        .to.emit(parameters, 'InstrumentRetired')
        .withArgs(id);
    }
    // Said once more it stops no batch, cleared or not.
    await rollup.submit({ body: { retirement: 100n } });
    await parameters.clearBlock(0);
    await rollup.submit({ body: { retirement: 1_001n } });
    expect(
      (await parameters.instruments()).every(({ expirySec: sec }: { expirySec: bigint }) => sec === 0n),
    ).to.equal(true);
  });

  it('is run by no sequencer before its registry is bound: the first retirement would stop it for ever', async () => {
    const contracts = new L1Contracts(
      fixture.connection.ethers.provider as never,
      await rollup.rollup.getAddress(),
      { shape: rollup.shape, tokenCount: 1, firstBlock: 0 },
    );
    const { domain, sizes } = sizesOf(fixture.chainId, await rollup.rollup.getAddress(), rollup.capacities);
    let refusal: unknown;
    await contracts.requireDeployed(sizes, domain).catch((error) => {
      refusal = error;
    });
    expect(String(refusal)).to.include('not bound');
    await fixture.parameters.bindRollup(rollup.rollup);
    await contracts.requireDeployed(sizes, domain);
  });

  it('keeps its places while the rollup is not bound: the batch that says so is refused', async () => {
    const { parameters } = fixture;
    await round(expirySec);
    await expect(rollup.submit({ body: { retirement: 100n } }))
      .to.be.revertedWithCustomError(parameters, 'NotRollup')
      .withArgs(await rollup.rollup.getAddress());
    await rollup.submit();
    expect(await parameters.isRetired(100)).to.equal(false);
  });
});
