/**
 * The option market at any moment of the replay: a forward for every expiry and a volatility for every strike.
 *
 * Real are the index (the recorded candle), and at the two recorded moments every volatility and forward of the
 * chains. Interpolated is the rest:
 * - a volatility is read off the smile of its expiry by standardised moneyness z = ln(K/F) / (σ·√T), σ being the
 *   volatility at the forward: linearly between the listed strikes, flat beyond the outermost. As price and time
 *   move, the smile stays where it is in z ("sticky moneyness");
 * - between the two moments smile and carry go linearly in time from the first to the second; before the first and
 *   after the last they stay as they are there;
 * - forwards follow the index by one annual carry, ln(F₂/F₁) / (T₂ − T₁) of the chain's nearest and farthest expiry.
 *
 * Pure. Floating point is fine here: this is what signers report and makers quote, and what is proved begins with
 * the medians of the reports.
 */
import { InputError } from '#protocol/errors.ts';
import { timeToExpirySec, YEAR_SEC } from '#protocol/risk/terms.ts';
import { max, min } from '#protocol/units.ts';
import type { ChainExpiry, OptionChain } from './option-chain.ts';

const PPB_ONE = 1e9;

/** What is listed in an expiry block, strikes per coin. */
export interface ListedBlock {
  readonly expirySec: bigint;
  readonly strikesMicrosPerCoin: readonly bigint[];
}

export interface BlockSurface {
  /** Forward over index − 1, 1e-9, signed. */
  readonly basisPpb: bigint;
  /** One for each strike. */
  readonly volPpm: readonly bigint[];
}

interface SmilePoint {
  readonly z: number;
  readonly vol: number;
}

/** A smile over standardised moneyness, ascending in z. */
interface Smile {
  /** At the forward. */
  readonly atTheMoney: number;
  readonly points: readonly SmilePoint[];
}

/** At least an hour, as margin counts it. */
const yearsUntil = (expirySec: bigint, timeSec: bigint): number =>
  Number(timeToExpirySec(expirySec, timeSec)) / Number(YEAR_SEC);

const mix = (from: number, to: number, share: number): number => from + (to - from) * share;

/** Linear between points of ascending x, flat beyond the outermost. */
function interpolate(points: readonly (readonly [x: number, y: number])[], x: number): number {
  const next = points.findIndex(([at]) => at >= x);
  if (next < 0) return points[points.length - 1][1];
  if (next === 0) return points[0][1];
  const [[x0, y0], [x1, y1]] = [points[next - 1], points[next]];
  return mix(y0, y1, (x - x0) / (x1 - x0));
}

function smileOf({ expirySec, forwardMicrosPerCoin, strikes }: ChainExpiry, timeSec: bigint): Smile {
  const logged = strikes.map(({ strikeMicrosPerCoin, volPpm }) => ({
    logMoneyness: Math.log(Number(strikeMicrosPerCoin) / Number(forwardMicrosPerCoin)),
    vol: Number(volPpm),
  }));
  const atTheMoney = interpolate(
    logged.map(({ logMoneyness, vol }) => [logMoneyness, vol]),
    0,
  );
  const deviation = (atTheMoney / 1e6) * Math.sqrt(yearsUntil(expirySec, timeSec));
  return {
    atTheMoney,
    points: logged.map(({ logMoneyness, vol }) => ({ z: logMoneyness / deviation, vol })),
  };
}

const volAt = ({ points }: Smile, z: number): number =>
  interpolate(
    points.map((point) => [point.z, point.vol]),
    z,
  );

function carryOf({ expiries }: OptionChain): number {
  const [near, far] = [expiries[0], expiries[expiries.length - 1]];
  if (near === far) throw new InputError('expiries', near?.expirySec, 'a carry needs two of them');
  const years = Number(far.expirySec - near.expirySec) / Number(YEAR_SEC);
  return Math.log(Number(far.forwardMicrosPerCoin) / Number(near.forwardMicrosPerCoin)) / years;
}

/** The two chains around a moment, and how far from the first to the second it lies. */
function chainsAround(chains: readonly OptionChain[], timeSec: bigint) {
  if (chains.length === 0) throw new InputError('chains', '[]', 'expected at least one');
  const before = chains.findLast((chain) => chain.timeSec <= timeSec) ?? chains[0];
  const after = chains.find((chain) => chain.timeSec > timeSec) ?? chains[chains.length - 1];
  const span = after.timeSec - before.timeSec;
  const passed = max(0n, min(span, timeSec - before.timeSec));
  return { before, after, share: span <= 0n ? 0 : Number(passed) / Number(span) };
}

function expiryIn(chain: OptionChain, expirySec: bigint): ChainExpiry {
  const found = chain.expiries.find((expiry) => expiry.expirySec === expirySec);
  if (found === undefined)
    throw new InputError('expirySec', expirySec, 'not an expiry of the recorded chain');
  return found;
}

/**
 * Forward and volatilities of a block at an index price.
 * @param chains in order of time
 * @throws InputError when an expiry is not in the chains
 */
export function blockSurface(
  chains: readonly OptionChain[],
  { expirySec, strikesMicrosPerCoin }: ListedBlock,
  indexMicros: bigint,
  timeSec: bigint,
): BlockSurface {
  const { before, after, share } = chainsAround(chains, timeSec);
  const years = yearsUntil(expirySec, timeSec);
  const carry = mix(carryOf(before), carryOf(after), share);
  const basis = Math.expm1(carry * years);
  const forward = Number(indexMicros) * (1 + basis);
  const smiles = [before, after].map((chain) => smileOf(expiryIn(chain, expirySec), chain.timeSec));
  const atTheMoney = mix(smiles[0].atTheMoney, smiles[1].atTheMoney, share);
  const deviation = (atTheMoney / 1e6) * Math.sqrt(years);
  return {
    basisPpb: BigInt(Math.round(basis * PPB_ONE)),
    volPpm: strikesMicrosPerCoin.map((strike) => {
      const z = Math.log(Number(strike) / forward) / deviation;
      return BigInt(Math.round(mix(volAt(smiles[0], z), volAt(smiles[1], z), share)));
    }),
  };
}
