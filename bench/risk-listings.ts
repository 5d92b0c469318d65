/**
 * What measured seconds of risk circuits mean for a listing. Arithmetic on measurements, under these assumptions:
 * - A round's table is RISK_SMALL followed by as many segments of RISK_MORE's size as it takes. Each of them begins at
 *   another slot and so has a key of its own; what it costs does not depend on where it begins.
 * - One machine proves one segment after another, each with all of its cores. Segments do not wait for each other: every
 *   statement names the hash at which its segment begins and ends. So m machines prove m segments at a time.
 * - Keys are open. Batches, which are proved too, are not counted; nor is the market list of a batch, which has 76 slots.
 */
import { RISK_64, RISK_MORE, RISK_SMALL, type SegmentGeometry, slotsOf } from '#protocol/risk/registry.ts';
import { readChain, SNAPSHOTS } from '#test/support/option/chain.ts';

/** A round is proved while the next one is on its way. */
const ROUND_SECONDS = 60;
const CHAIN_INSTRUMENTS = 1_600;
/** The recorded chain nearest to that: BTC and ETH on 2026-02-04. */
const CHAIN = SNAPSHOTS[1];

const optionsOf = ({ blocks, strikesPerBlock }: SegmentGeometry): number => 2 * blocks * strikesPerBlock;
const rounded = (seconds: number): number => Math.round(10 * seconds) / 10;

/** The most options that one machine proves within a round's time. */
function largestListing(smallSeconds: number, moreSeconds: number, wholeSeconds: number) {
  const further = Math.max(0, Math.floor((ROUND_SECONDS - smallSeconds) / moreSeconds));
  const inSegments =
    smallSeconds <= ROUND_SECONDS ? optionsOf(RISK_SMALL) + further * optionsOf(RISK_MORE) : 0;
  const inOne = wholeSeconds <= ROUND_SECONDS ? optionsOf(RISK_64) : 0;
  return { options: Math.max(inSegments, inOne), inSegments, furtherSegments: further, inOneProof: inOne };
}

function chainSeconds(furtherSegments: number, smallSeconds: number, moreSeconds: number) {
  const perMachine = Math.floor(ROUND_SECONDS / moreSeconds);
  return {
    segments: 1 + furtherSegments,
    secondsOnOneMachine: rounded(smallSeconds + furtherSegments * moreSeconds),
    secondsOnAMachineForEach: rounded(Math.max(smallSeconds, moreSeconds)),
    // Of the kind that was measured; the first segment is counted as one of the further ones.
    machinesForOneRound: perMachine === 0 ? null : Math.ceil((1 + furtherSegments) / perMachine),
  };
}

/** As recorded: strikes of one expiry in blocks of their own, the last of them partly empty. */
function recordedChain() {
  const expiries = readChain(CHAIN);
  const blocks = expiries.map(({ strikes }) => Math.ceil(strikes.length / RISK_MORE.strikesPerBlock));
  const options = expiries.reduce((sum, { strikes }) => sum + 2 * strikes.length, 0);
  const blockCount = blocks.reduce((sum, count) => sum + count, 0);
  return {
    options,
    expiries: expiries.length,
    blocks: blockCount,
    furtherSegments: Math.ceil(blockCount / RISK_MORE.blocks),
  };
}

/** @param seconds of witness and proof by circuit */
export function consequences(seconds: Readonly<Record<string, number>>) {
  const [small, more, whole] = [RISK_SMALL, RISK_MORE, RISK_64].map(({ name }) => seconds[name]);
  const strikesBetween = (optionsOf(RISK_64) - optionsOf(RISK_SMALL)) / 2;
  const nominal = Math.ceil((CHAIN_INSTRUMENTS - slotsOf(RISK_SMALL)) / slotsOf(RISK_MORE));
  const { furtherSegments, ...recorded } = recordedChain();
  return {
    // Of one strike more: the difference of the tables of 32 and of 4.
    furtherStrikeSeconds: Math.round((1000 * (whole - small)) / strikesBetween) / 1000,
    round: { inOneProof: whole, inTwoSegments: rounded(small + more) },
    largestListingIn60Seconds: largestListing(small, more, whole),
    chainOf1600: chainSeconds(nominal, small, more),
    recordedChain: { ...recorded, ...chainSeconds(furtherSegments, small, more) },
  };
}
