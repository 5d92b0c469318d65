import { expect } from 'chai';
import { type Contract, Interface, type InterfaceAbi } from 'ethers';
import { DELAYED_CHAIN_START } from '#client/delayed-claims.ts';
import { encodeSubmitBatch } from '#protocol/batch/calldata.ts';
import { ExpiringBlock } from '#test/support/expiring-block.ts';
import { DAY_SEC, reportAt, signReports } from '#test/support/risk-oracle.ts';
import { deployRollup, KEY_POINT, type RollupFixture, restoreAfterEach } from '#test/support/rollup.ts';

/** Named contracts, as the table below names them. */
type Name = 'MarginRollup' | 'TokenVault' | 'InsuranceFund' | 'RiskOracle' | 'RiskParameters' | 'RoundProofs';
/** Arguments, why they are refused while the rollup runs and why when it is frozen; '' where anyone may. */
type Call = readonly [values: () => unknown[] | Promise<unknown[]>, running: string, frozen?: string];

/** Every account index, amount and owner in it is somebody else's. */
describe('A stranger', () => {
  let fixture: RollupFixture;
  let block: ExpiringBlock;
  let contracts: Record<Name, Contract>;
  let anyError: { readonly interface: Interface };
  const stranger = () => fixture.signers[9];
  const owner = () => fixture.signers[0].address;
  const ACCOUNT = 1;

  before(async () => {
    block = await ExpiringBlock.deploy();
    await block.round(BigInt(await block.fixture.connection.networkHelpers.time.latest()) + 60n);
    const { connection, oracle, parameters, proofs } = block.fixture;
    fixture = await deployRollup({ oracle: { connection, contract: oracle } });
    await parameters.bindRollup(fixture.rollup);
    await fixture.open(fixture.signers[0]);
    await fixture.deposit(fixture.signers[0], ACCOUNT, 0, 90_000_000n);
    await fixture.serveQueue();
    await fixture.submit({
      body: { withdrawals: [BigInt(ACCOUNT) | (7_000_000n << 28n)] },
      feesMicros: 1_000_000n,
    });
    await fixture.donate(fixture.signers[1], 30_000_000n);
    await fixture.vault.moveTreasury();
    const fund = await connection.ethers.getContractAt('InsuranceFund', await fixture.vault.fund());
    contracts = {
      MarginRollup: fixture.rollup,
      TokenVault: fixture.vault,
      InsuranceFund: fund as unknown as Contract,
      RiskOracle: oracle,
      RiskParameters: parameters,
      RoundProofs: proofs,
    };
    const fragments = [...Object.values(contracts), fixture.tokens[0]].flatMap(
      (contract) => contract.interface.fragments,
    );
    anyError = { interface: new Interface(fragments.filter(({ type }) => type === 'error') as InterfaceAbi) };
  });
  restoreAfterEach(() => fixture);

  const key = () => [...KEY_POINT];
  const nextReport = async () => {
    const { lastRound } = await block.fixture.oracle.clock();
    const report = reportAt(lastRound + 1n, BigInt(await fixture.nowSec()));
    const own = [stranger(), fixture.signers[10], fixture.signers[11]] as never[];
    const { reports, signatures } = await signReports(
      block.fixture,
      own.map((signer) => [signer, report] as const),
    );
    return [reports, signatures];
  };

  /** Of the round that was proved already. */
  const postedValues = async () => {
    const { oracle } = block.fixture;
    const [log] = await oracle.queryFilter('RoundPosted');
    return oracle.interface.parseLog(log)?.args.round.toArray(true);
  };

  /** Every function of every deployed contract that is not a view. */
  const CALLS: Record<Name, Record<string, Call>> = {
    MarginRollup: {
      registerAccount: [key, '', 'IsFrozen'],
      registerAccountFor: [() => [owner(), ...KEY_POINT, 2n ** 40n, `0x${'11'.repeat(65)}`], 'BadSignature'],
      changeKey: [() => [ACCOUNT, ...KEY_POINT], 'NotOwner'],
      deposit: [() => [ACCOUNT, 0, 10_000_000n], 'NotOwner'],
      requestWithdrawal: [() => [ACCOUNT, 0, 1n], 'NotOwner'],
      requestCancelAll: [() => [ACCOUNT], 'NotOwner'],
      requestClose: [() => [ACCOUNT, 4n], 'CloseNotSupported'],
      // It has approved nothing.
      donate: [() => [10_000_000n], 'ERC20InsufficientAllowance'],
      freeze: [() => [], 'NothingOverdue', 'IsFrozen'],
      reclaim: [async () => [(await fixture.rollup.queueBounds())[1]], 'NotFrozen', 'NoWaitingOperation'],
      claimFees: [() => [], 'NoFees'],
      finishRetirement: [() => [], 'NothingRetired'],
      setSubmitter: [() => [stranger().address], 'NotOperator'],
      submitBatch: [
        async () => {
          const input = encodeSubmitBatch(await fixture.submission());
          return fixture.rollup.interface.decodeFunctionData('submitBatch', input).toArray(true);
        },
        'NotSubmitter',
      ],
    },
    TokenVault: {
      pull: [() => [owner(), 0, 10_000_000n], 'NotRollup'],
      open: [() => [stranger().address], 'NotRollup'],
      book: [() => [[4n | (1n << 8n) | (BigInt(stranger().address) << 96n)], 0n, 1n], 'NotRollup'],
      claim: [() => [0], 'NothingToClaim'],
      recordDelayed: [() => [owner(), DELAYED_CHAIN_START, [1n << 4n]], 'NotTheLastDelayed'],
      release: [() => [0n], 'NothingToClaim'],
      moveTreasury: [() => [], '', ''],
    },
    InsuranceFund: { payVault: [() => [1n], 'NotVault'] },
    RiskOracle: {
      postRound: [nextReport, 'NotASigner'],
      proveRound: [async () => [await postedValues(), []], 'RoundNotProvable'],
    },
    RiskParameters: {
      bindRollup: [() => [stranger().address], 'NotGovernor'],
      retire: [() => [4n], 'NotRollup'],
      clearBlock: [() => [0n], 'BlockInUse'],
      announceChange: [() => [5, `0x${'00'.repeat(32)}`], 'NotGovernor'],
      applyChange: [() => [0n, 5, `0x${'00'.repeat(32)}`], 'UnknownChange'],
      withdrawChange: [() => [0n], 'NotGovernor'],
    },
    RoundProofs: {},
  };
  it('is known for every function that changes anything', () => {
    for (const [name, contract] of Object.entries(contracts)) {
      const changing = contract.interface.fragments.filter(
        (fragment) => fragment.type === 'function' && !/ (view|pure)\b/.test(fragment.format('full')),
      );
      const names = changing.map((fragment) => (fragment as unknown as { name: string }).name);
      expect(Object.keys(CALLS[name as Name]).sort(), name).to.deep.equal(names.sort());
    }
  });

  /** All that a stranger must not change: modes, roots, powers, balances. */
  async function snapshot(): Promise<unknown> {
    const { rollup, vault, tokens, operator, submitter } = fixture;
    const { oracle, parameters, connection } = block.fixture;
    const places = [vault, contracts.InsuranceFund, rollup, oracle];
    const holders = [...(await Promise.all(places.map((place) => place.getAddress()))), owner()];
    const perToken = [0, 1, 2].map(async (tokenId) => [
      (await vault.conservation(tokenId)).toArray(),
      await vault.claimsUnits(owner(), tokenId),
      await Promise.all([...holders, stranger().address].map((holder) => tokens[tokenId].balanceOf(holder))),
    ]);
    return Promise.all([
      ...['stateRoot', 'batchNumber', 'batchTimeSec', 'acceptedIndex', 'submitter', 'operator'].map((name) =>
        rollup[name](),
      ),
      rollup.frozenAtSec(),
      rollup.ownerOf(ACCOUNT),
      rollup.pendingDeposits(ACCOUNT),
      rollup.unfinishedRetirement(),
      (await rollup.queueBounds())[0],
      vault.delayedChain(owner()),
      vault.delayedCount(),
      ...perToken,
      oracle.acceptedCount(),
      oracle.clock(),
      parameters.governor(),
      parameters.rollup(),
      parameters.announcementCount(),
      parameters.roundParameters(),
      ...[owner(), operator.address, submitter.address].map((payee) => rollup.feeClaimsWei(payee)),
      ...[owner(), operator.address].map((payee) => connection.ethers.provider.getBalance(payee)),
    ]);
  }

  /** Makes every call of the table. */
  async function tryEverything(mode: 'running' | 'frozen'): Promise<void> {
    const before = await snapshot();
    for (const [name, calls] of Object.entries(CALLS)) {
      const contract = contracts[name as Name].connect(stranger()) as Contract;
      for (const [method, [valuesOf, running, frozen = running]] of Object.entries(calls)) {
        const refusal = mode === 'running' ? running : frozen;
        const isPayable = contract.interface.getFunction(method)?.payable ?? false;
        const sent = { value: isPayable ? await fixture.rollup.queueFeeWei() : 0n };
        const call = contract[method](...(await valuesOf()), sent);
        if (refusal === '') await call;
        else
          await expect(call, `${name}.${method}`).to.be.revertedWithCustomError(anyError as never, refusal);
        expect(await snapshot(), `${name}.${method}`).to.deep.equal(before);
      }
    }
  }

  it('changes no root, mode, power or balance of a running rollup, whatever it calls', async () => {
    await tryEverything('running');
  });

  it('changes none of a frozen one either', async () => {
    await fixture.wait(11 * DAY_SEC);
    await fixture.rollup.freeze();
    await tryEverything('frozen');
  });

  it('finds no way in by sending Ether or unknown calls', async () => {
    const before = await snapshot();
    for (const [name, contract] of Object.entries(contracts)) {
      const to = await contract.getAddress();
      for (const tx of [{ value: 1n }, { data: '0x12345678' }, { data: '0x12', value: 1n }]) {
        await expect(stranger().sendTransaction({ to, ...tx }), name).to.be.revertedWithoutReason(
          fixture.connection.ethers,
        );
      }
    }
    expect(await snapshot()).to.deep.equal(before);
  });
});
