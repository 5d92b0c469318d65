import { expect } from 'chai';
import { hexlify } from 'ethers';
import { encodeSubmitBatch } from '#protocol/batch/calldata.ts';
import { BASE8, type CurvePoint, clearCofactor, multiplyPoint } from '#protocol/crypto/baby-jubjub.ts';
import { FIELD_MODULUS } from '#protocol/crypto/field.ts';
import {
  deployRollup,
  deployTestMock,
  KEY_POINT,
  outcome,
  type RollupFixture,
  restoreAfterEach,
} from '#test/support/rollup.ts';

/** Base point of the whole curve, order 8·l. */
const GENERATOR: CurvePoint = [
  995203441582195749578291179787384436505546430278305826713579947235728471134n,
  5472060717959818805561601436314318772137091100104008585924551046643952123905n,
];
const SUBGROUP_ORDER = 2736030358979909402780800718157159386076813972158567259200215660948447373041n;
const REGISTER_TYPES = {
  RegisterAccount: [
    { name: 'owner', type: 'address' },
    { name: 'keyX', type: 'uint256' },
    { name: 'keyY', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'expirySec', type: 'uint256' },
  ],
};
const CURVE_ORDER_SECP256K1 = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

describe('L1Operations, accounts', () => {
  let fixture: RollupFixture;
  before(async () => {
    fixture = await deployRollup();
  });
  restoreAfterEach(() => fixture);

  const register = async (point: readonly [bigint, bigint], from = fixture.signers[0]) =>
    fixture.as(from).registerAccount(point[0], point[1], { value: await fixture.rollup.queueFeeWei() });

  it('queues eight times the registered point as key, as protocol/ computes it', async () => {
    const points = [
      BASE8,
      GENERATOR,
      multiplyPoint(BASE8, 12345678901234567890n),
      multiplyPoint(GENERATOR, 77n),
    ];
    for (const [i, point] of points.entries()) {
      await register(point);
      const [{ word }, key] = await fixture.rollup.queueEntry(i);
      expect([key.x, key.y]).to.deep.equal([...clearCofactor(point)]);
      expect(word).to.equal(1n | (BigInt(i + 1) << 4n));
    }
  });

  it('tells the key and the owner in events, from which L1 readers rebuild', async () => {
    const [x, y] = clearCofactor(BASE8);
    const [owner] = fixture.signers;
    await expect(register(BASE8))
      .to.emit(fixture.rollup, 'AccountOpened')
      .withArgs(1, owner.address)
      .to.emit(fixture.rollup, 'OperationQueued')
      .withArgs(0, 1, 1n | (1n << 4n), x, y, (due: bigint) => due > 0n);
  });

  it('refuses points off the curve and coordinates that are not canonical', async () => {
    const bad: CurvePoint[] = [
      [0n, 0n],
      [BASE8[0], BASE8[1] + 1n],
      [BASE8[0] + FIELD_MODULUS, BASE8[1]],
      [BASE8[0], BASE8[1] + FIELD_MODULUS],
      [2n ** 256n - 1n, 1n],
    ];
    for (const point of bad) {
      await expect(register(point))
        .to.be.revertedWithCustomError(fixture.rollup, 'BadKey')
        .withArgs(...point);
    }
  });

  it('refuses every point of small order: anyone could sign for the identity', async () => {
    const ofOrderEight = multiplyPoint(GENERATOR, SUBGROUP_ORDER);
    const seen = new Set<string>();
    for (let i = 0n; i < 8n; i++) {
      const point = multiplyPoint(ofOrderEight, i);
      seen.add(point.join());
      await expect(register(point))
        .to.be.revertedWithCustomError(fixture.rollup, 'BadKey')
        .withArgs(...point);
    }
    expect(seen.size).to.equal(8);
  });

  it('gives accounts 1, 2, … to their wallets and ends with the tree', async () => {
    const accountMax = Number(await fixture.rollup.accountMax());
    expect(accountMax).to.equal(4 ** fixture.shape.treeDepth - 1);
    for (let i = 1; i <= accountMax; i++) await register(BASE8, fixture.signers[i % 3]);
    expect(await fixture.rollup.ownerOf(accountMax)).to.equal(fixture.signers[accountMax % 3].address);
    expect(await fixture.rollup.ownerOf(0)).to.equal(fixture.connection.ethers.ZeroAddress);
    await expect(register(BASE8)).to.be.revertedWithCustomError(fixture.rollup, 'AccountsExhausted');
  });

  it('changes a key through the queue, for the owner only', async () => {
    await register(BASE8);
    const point = multiplyPoint(BASE8, 5n);
    await fixture
      .as(fixture.signers[0])
      .changeKey(1, ...point, { value: await fixture.rollup.queueFeeWei() });
    const [{ word }, key] = await fixture.rollup.queueEntry(1);
    expect(word).to.equal(1n | (1n << 4n));
    expect([key.x, key.y]).to.deep.equal([...clearCofactor(point)]);
    expect(await fixture.rollup.accountCount()).to.equal(1n);
    await expect(fixture.as(fixture.signers[1]).changeKey(1, ...point)).to.be.revertedWithCustomError(
      fixture.rollup,
      'NotOwner',
    );
    await expect(fixture.as(fixture.signers[0]).changeKey(1, 0n, 1n)).to.be.revertedWithCustomError(
      fixture.rollup,
      'BadKey',
    );
  });

  it('forgets a key when a batch has taken it', async () => {
    await register(BASE8);
    await fixture.submit({ body: { outcomes: [outcome(true)] } });
    expect(await fixture.rollup.queueEntry(0)).to.deep.equal([
      [0n, 0n, 0n, 0n, 0n, 0n],
      [0n, 0n],
    ]);
  });

  describe('registration by signature', () => {
    interface Choice {
      chainId?: bigint;
      verifyingContract?: string;
      name?: string;
      nonce?: bigint;
      signer?: number;
    }
    const owner = () => fixture.signers[2];
    const relayer = () => fixture.as(fixture.signers[3]);

    async function signed(choice: Choice = {}) {
      const expirySec = BigInt(await fixture.nowSec()) + 3600n;
      const domain = {
        name: choice.name ?? 'Ballast MarginRollup',
        version: '1',
        chainId: choice.chainId ?? (await fixture.connection.ethers.provider.getNetwork()).chainId,
        verifyingContract: choice.verifyingContract ?? (await fixture.rollup.getAddress()),
      };
      const nonce = choice.nonce ?? (await fixture.rollup.nonces(owner().address));
      const message = { owner: owner().address, keyX: KEY_POINT[0], keyY: KEY_POINT[1], nonce, expirySec };
      const signature = await fixture.signers[choice.signer ?? 2].signTypedData(
        domain,
        REGISTER_TYPES,
        message,
      );
      return { signature, expirySec };
    }
    const submit = async (
      { signature, expirySec }: { signature: string; expirySec: bigint },
      point: readonly [bigint, bigint] = KEY_POINT,
      ownerAddress = owner().address,
    ) =>
      relayer().registerAccountFor(ownerAddress, point[0], point[1], expirySec, signature, {
        value: await fixture.rollup.queueFeeWei(),
      });

    it('opens the account of the wallet that signed, whoever pays', async () => {
      await submit(await signed());
      expect(await fixture.rollup.ownerOf(1)).to.equal(owner().address);
    });

    it('serves once', async () => {
      const once = await signed();
      await submit(once);
      await expect(submit(once)).to.be.revertedWithCustomError(fixture.rollup, 'BadSignature');
    });

    it('serves no other chain, contract, name, nonce, wallet, key or expiry', async () => {
      const good = await signed();
      const attempts = [
        async () => submit(await signed({ chainId: 1n })),
        async () => submit(await signed({ chainId: 31337n + 65536n })),
        async () => submit(await signed({ verifyingContract: await fixture.vault.getAddress() })),
        async () => submit(await signed({ name: 'Ballast' })),
        async () => submit(await signed({ nonce: 1n })),
        async () => submit(await signed({ signer: 4 })),
        () => submit(good, multiplyPoint(BASE8, 2n)),
        () => submit(good, KEY_POINT, fixture.signers[4].address),
        () => submit({ ...good, expirySec: good.expirySec + 1n }),
      ];
      for (const attempt of attempts) {
        await expect(attempt()).to.be.revertedWithCustomError(fixture.rollup, 'BadSignature');
      }
      await submit(good);
    });

    it('serves on a chain whose id needs more than 16 bits, and none made for its low bits', async () => {
      const large = 11_155_111n;
      const here = fixture;
      fixture = await deployRollup({ chainId: Number(large) });
      try {
        for (const chainId of [large % 65_536n, large + 65_536n]) {
          const other = await signed({ chainId });
          await expect(submit(other)).to.be.revertedWithCustomError(fixture.rollup, 'BadSignature');
        }
        await submit(await signed());
        expect(await fixture.rollup.ownerOf(1)).to.equal(owner().address);
      } finally {
        fixture = here;
      }
    });

    it('has one form only: high s, cut and padded signatures are refused', async () => {
      const { signature, expirySec } = await signed();
      const { Signature } = fixture.connection.ethers;
      const { r, s, v } = Signature.from(signature);
      const highS = (CURVE_ORDER_SECP256K1 - BigInt(s)).toString(16).padStart(64, '0');
      const malleated = `${r}${highS}${(v === 27 ? 28 : 27).toString(16)}`;
      for (const bad of [malleated, signature.slice(0, -2), `${signature}00`, '0x']) {
        await expect(submit({ signature: bad, expirySec })).to.be.revertedWithCustomError(
          fixture.rollup,
          'BadSignature',
        );
      }
    });

    it('ends with its expiry', async () => {
      const late = await signed();
      await fixture.setNextTime(late.expirySec + 1n);
      await expect(submit(late)).to.be.revertedWithCustomError(fixture.rollup, 'SignatureExpired');
    });
  });

  describe('submitter', () => {
    it('is the only one whose batches are taken', async () => {
      const submission = await fixture.submission();
      for (const other of [fixture.signers[0], fixture.operator]) {
        await expect(fixture.send(submission, other))
          .to.be.revertedWithCustomError(fixture.rollup, 'NotSubmitter')
          .withArgs(other.address);
      }
    });

    it('sends batches as the input of a transaction, not through code: readers look there', async () => {
      const { rollup, operator, connection, submitter } = fixture;
      const forwarder = await deployTestMock(connection, 'SubmitThroughContract');
      const target = await rollup.getAddress();
      const submission = await fixture.submission();
      const input = hexlify(encodeSubmitBatch(submission));
      await fixture.as(operator).setSubmitter(await forwarder.getAddress());
      await expect(forwarder.forward(target, input)).to.be.revertedWithCustomError(rollup, 'NotTopLevelCall');
      await fixture.as(operator).setSubmitter(submitter.address);
      // An account that delegates its code (EIP-7702) could call itself first and the rollup from there.
      const delegation = `0xef0100${(await forwarder.getAddress()).slice(2)}` as const;
      await connection.networkHelpers.setCode(submitter.address, delegation);
      await expect(fixture.send(submission)).to.be.revertedWithCustomError(rollup, 'NotTopLevelCall');
      await connection.networkHelpers.setCode(submitter.address, '0x');
      await expect(fixture.send(submission)).to.emit(rollup, 'BatchAccepted');
    });

    it('is replaced by the operator, who can do nothing else', async () => {
      const [next] = fixture.signers;
      await expect(fixture.as(next).setSubmitter(next.address)).to.be.revertedWithCustomError(
        fixture.rollup,
        'NotOperator',
      );
      await fixture.as(fixture.operator).setSubmitter(next.address);
      await expect(fixture.send(await fixture.submission())).to.be.revertedWithCustomError(
        fixture.rollup,
        'NotSubmitter',
      );
      await expect(fixture.send(await fixture.submission(), next)).to.emit(fixture.rollup, 'BatchAccepted');
    });

    it('keeps the fees of the operations it served when it is replaced, and takes them once', async () => {
      const { rollup, submitter, operator, signers } = fixture;
      const next = signers[7];
      const fee = await rollup.queueFeeWei();
      const earned = async (who: { address: string }) => BigInt(await rollup.feeClaimsWei(who.address));
      const before = await earned(submitter);
      await fixture.open(signers[3]);
      await fixture.serveQueue();
      expect((await earned(submitter)) - before).to.equal(fee);
      await fixture.as(operator).setSubmitter(next.address);
      expect(await earned(submitter)).to.equal(before + fee);
      expect(await earned(next), "nothing of them is the successor's").to.equal(0n);
      await fixture.as(operator).setSubmitter(next.address);
      await fixture.open(signers[3]);
      await fixture.send(await fixture.submission({ body: { outcomes: [outcome(true)] } }), next);
      expect(await earned(next)).to.equal(fee);
      for (const who of [submitter, next]) {
        const due = await earned(who);
        await expect(fixture.as(who).claimFees()).to.changeEtherBalance(fixture.connection.ethers, who, due);
        await expect(fixture.as(who).claimFees()).to.be.revertedWithCustomError(rollup, 'NoFees');
      }
      expect(await fixture.connection.ethers.provider.getBalance(await rollup.getAddress())).to.equal(0n);
    });
  });
});
