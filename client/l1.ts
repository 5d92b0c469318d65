/**
 * What a user does on L1, through any ethers signer: open an account, deposit, force a withdrawal, cancel
 * everything, claim. Amounts are the rollup's units: micros of quote, lots of a spot token.
 */
import {
  Contract,
  type ContractTransactionReceipt,
  type ContractTransactionResponse,
  Interface,
  type InterfaceAbi,
  type Signer,
} from 'ethers';
import type { PublicKey } from '#protocol/account.ts';
import { InputError } from '#protocol/errors.ts';
import { recordDelayed, unrecordedWords } from './delayed-claims.ts';

/** The part of MarginRollup that users and readers call (contracts/interfaces/IMarginRollup.sol). */
export const ROLLUP_ABI = [
  'function registerAccount(uint256 x, uint256 y) payable returns (uint32)',
  'function changeKey(uint32 accountIndex, uint256 x, uint256 y) payable',
  'function deposit(uint32 accountIndex, uint256 tokenId, uint256 amountWei) payable returns (uint64)',
  'function requestWithdrawal(uint32 accountIndex, uint256 tokenId, uint256 amountUnits) payable returns (uint64)',
  'function requestCancelAll(uint32 accountIndex) payable returns (uint64)',
  'function donate(uint256 amountWei) payable returns (uint64)',
  'function oracle() view returns (address)',
  'function vault() view returns (address)',
  'function queueFeeWei() view returns (uint256)',
  'event AccountOpened(uint32 indexed accountIndex, address indexed owner)',
  'event OperationQueued(uint64 indexed queueIndex, uint32 indexed accountIndex, uint256 word, uint256 keyX, uint256 keyY, uint256 dueNetSec)',
  'event OperationServed(uint64 indexed queueIndex, uint32 indexed accountIndex, uint256 outcomeWord)',
  'event Liquidated(uint64 indexed batchNumber, uint256[] rows)',
  'event BatchAccepted(uint64 indexed batchNumber, uint256 newStateRoot, uint256 batchTimeSec, uint256 acceptedIndex, uint256 newQueueHead)',
  'error FeeTooLow(uint256 feeWei, uint256 sentWei)',
  'error NotOwner(uint32 accountIndex, address caller)',
  'error NotWholeUnits(uint256 amountWei, uint256 weiPerUnit)',
  'error AmountTooSmall(uint256 amountUnits, uint256 minUnits)',
  'error AmountTooLarge(uint256 amountUnits, uint256 maxUnits)',
  'error BadKey(uint256 x, uint256 y)',
  'error TooManyDeposits(uint32 accountIndex, uint256 retryAtSec)',
  'error IsFrozen()',
];
/** The part of TokenVault, which holds the tokens (contracts/interfaces/ITokenVault.sol). */
export const VAULT_ABI = [
  'function claim(uint256 tokenId) returns (uint256)',
  'function recordDelayed(address owner, bytes32 earlier, uint256[] words)',
  'function delayedChain(address owner) view returns (bytes32)',
  'function release(uint256 delayedId) returns (uint256)',
  'function claimsUnits(address owner, uint256 tokenId) view returns (uint256)',
  'function tokenConfig(uint256 tokenId) view returns (tuple(address token, uint96 weiPerUnit, uint128 depositMinUnits, uint128 capUnits, uint128 outflowFloorUnits))',
  'event ClaimCredited(address indexed owner, uint8 indexed tokenId, uint256 amountUnits)',
  'event ClaimDelayed(address indexed owner, uint256 claimWord)',
  'event ClaimRecorded(uint256 indexed delayedId, address indexed owner, uint256 claimWord)',
  'event ClaimPaid(address indexed owner, uint8 indexed tokenId, uint256 amountUnits)',
  'error NothingToClaim()',
  'error NotTheLastDelayed(address owner)',
];
const TOKEN_ABI = [
  'function approve(address spender, uint256 amount) returns (bool)',
  'function allowance(address owner, address spender) view returns (uint256)',
  'function balanceOf(address owner) view returns (uint256)',
];

const EVENTS = new Interface([...ROLLUP_ABI, ...VAULT_ABI]);

/** Place of an operation in the contract's queue. */
export interface QueuedReceipt {
  readonly queueIndex: number;
  readonly l1TxHash: string;
}

/**
 * One wallet's view of the rollup. Methods resolve when the transaction is mined; what was queued takes
 * effect with the batch that serves it. A fee that has risen meanwhile is not a problem: twice the present fee
 * is sent, and what is too much comes back through `claimFees`.
 */
export class L1Account {
  readonly #rollup: Contract;
  readonly #signer: Signer;
  /** 0 until `open`. */
  #accountIndex: number;

  constructor(rollupAddress: string, signer: Signer, accountIndex = 0) {
    this.#rollup = new Contract(rollupAddress, ROLLUP_ABI as InterfaceAbi, signer);
    this.#signer = signer;
    this.#accountIndex = accountIndex;
  }

  get accountIndex(): number {
    if (this.#accountIndex === 0) throw new InputError('account', 'none', 'open an account first');
    return this.#accountIndex;
  }

  /** Opens an account of this wallet for a trading key. @param registrationPoint `TradingKey.registrationPoint` */
  async open(registrationPoint: PublicKey): Promise<QueuedReceipt & { readonly accountIndex: number }> {
    const receipt = await this.#send('registerAccount', [registrationPoint[0], registrationPoint[1]]);
    const opened = eventsOf(receipt, 'AccountOpened')[0];
    this.#accountIndex = Number(opened.accountIndex);
    return { ...queuedOf(receipt), accountIndex: this.#accountIndex };
  }

  async changeKey(registrationPoint: PublicKey): Promise<QueuedReceipt> {
    const point = [registrationPoint[0], registrationPoint[1]];
    return queuedOf(await this.#send('changeKey', [this.accountIndex, ...point]));
  }

  /**
   * Approves exactly this deposit if needed, then deposits. `tokenId` 0: micros of quote, 1..3: lots. L1 takes four
   * within five minutes, as long as they wait.
   */
  async deposit(tokenId: number, units: bigint): Promise<QueuedReceipt> {
    const amountWei = await this.#approve(tokenId, units);
    return queuedOf(await this.#send('deposit', [this.accountIndex, tokenId, amountWei]));
  }

  /** Gives quote money to the insurance fund. Needs no account. */
  async donate(micros: bigint): Promise<QueuedReceipt> {
    const amountWei = await this.#approve(0, micros);
    return queuedOf(await this.#send('donate', [amountWei]));
  }

  /** Forced: the sequencer must serve it before its deadline, or anyone may freeze the rollup. */
  async requestWithdrawal(tokenId: number, units: bigint): Promise<QueuedReceipt> {
    return queuedOf(await this.#send('requestWithdrawal', [this.accountIndex, tokenId, units]));
  }

  async requestCancelAll(): Promise<QueuedReceipt> {
    return queuedOf(await this.#send('requestCancelAll', [this.accountIndex]));
  }

  async claimableUnits(tokenId: number): Promise<bigint> {
    return (await this.#vault()).claimsUnits(await this.#signer.getAddress(), tokenId);
  }

  /** Before `claim` after a withdrawal beyond the outflow limit: what was within it becomes claimable, the rest by and by. */
  async recordDelayed(): Promise<void> {
    const [vault, owner] = [await this.#vault(), await this.#signer.getAddress()];
    await recordDelayed(vault, owner, (await unrecordedWords(vault)).get(owner) ?? []);
  }

  /** Takes everything claimable of a token to this wallet. @returns units paid */
  async claim(tokenId: number): Promise<bigint> {
    const receipt = await mined('claim', await (await this.#vault()).claim(tokenId));
    return eventsOf(receipt, 'ClaimPaid')[0].amountUnits;
  }

  /** Base units of the token in this wallet. */
  async walletBalanceWei(tokenId: number): Promise<bigint> {
    const { token } = await (await this.#vault()).tokenConfig(tokenId);
    return new Contract(token, TOKEN_ABI, this.#signer).balanceOf(await this.#signer.getAddress());
  }

  async #approve(tokenId: number, units: bigint): Promise<bigint> {
    const vault = await this.#vault();
    const { token, weiPerUnit } = await vault.tokenConfig(tokenId);
    const amountWei = units * weiPerUnit;
    const erc20 = new Contract(token, TOKEN_ABI, this.#signer);
    const vaultAddress = await vault.getAddress();
    const allowed: bigint = await erc20.allowance(await this.#signer.getAddress(), vaultAddress);
    if (allowed < amountWei) await (await erc20.approve(vaultAddress, amountWei)).wait();
    return amountWei;
  }

  async #vault(): Promise<Contract> {
    return new Contract(await this.#rollup.vault(), VAULT_ABI as InterfaceAbi, this.#signer);
  }

  /** Calls the rollup with the queue's fee. */
  async #send(method: string, values: readonly unknown[]): Promise<ContractTransactionReceipt> {
    const overrides = { value: 2n * (await this.#rollup.queueFeeWei()) };
    return mined(method, await this.#rollup.getFunction(method).send(...values, overrides));
  }
}

async function mined(method: string, sent: ContractTransactionResponse): Promise<ContractTransactionReceipt> {
  const receipt = await sent.wait();
  if (receipt === null || receipt.status !== 1) throw new Error(`${method} was not mined: ${sent.hash}`);
  return receipt;
}

/** Arguments of every event of this name in a receipt. */
function eventsOf(receipt: ContractTransactionReceipt, name: string): Record<string, bigint>[] {
  const found = receipt.logs.flatMap((log) => {
    const parsed = EVENTS.parseLog(log);
    return parsed?.name === name ? [parsed.args.toObject() as Record<string, bigint>] : [];
  });
  if (found.length === 0) throw new Error(`transaction ${receipt.hash} has no event ${name}`);
  return found;
}

const queuedOf = (receipt: ContractTransactionReceipt): QueuedReceipt => ({
  queueIndex: Number(eventsOf(receipt, 'OperationQueued')[0].queueIndex),
  l1TxHash: receipt.hash,
});
