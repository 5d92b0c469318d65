/** Turns what happens into lines: one for each bar, notes for what is rare. */
import { amountText } from './amounts.ts';
import type { Listing } from './listing.ts';
import type { Step } from './replay.ts';
import type { AcceptedRound, SettledBlock } from './rounds.ts';
import type { Story } from './story.ts';
import { coins, dollars, pricePerCoin, type Terminal } from './terminal.ts';

/** What a liquidation is called by its reason. */
export const REASONS = {
  1: 'equity below maintenance margin',
  2: 'quote debt beyond 60 % of its spot',
} as const;

export class Narrator {
  readonly #terminal: Terminal;
  readonly #story: Story;
  readonly #listing: Listing;
  readonly #nameOf: (accountIndex: number) => string;
  #notes: string[] = [];

  constructor(terminal: Terminal, story: Story, listing: Listing, nameOf: (accountIndex: number) => string) {
    this.#terminal = terminal;
    this.#story = story;
    this.#listing = listing;
    this.#nameOf = nameOf;
    story.onEvent((event) => {
      switch (event.kind) {
        case 'liquidation': {
          const { instrumentId, closedLots, cashMicros, isShort, reason, accountIndex } = event;
          const lotE8 = listing.lotE8Of(instrumentId);
          const size = `${coins(closedLots, lotE8)} ${listing.symbolOf(instrumentId)}`;
          const price = pricePerCoin(cashMicros / closedLots, lotE8);
          this.note(
            `LIQUIDATION of ${nameOf(accountIndex)} (${REASONS[reason]}): ${size} ${isShort ? 'bought' : 'sold'} at ${price}`,
          );
          break;
        }
        case 'fund-payment':
          this.note(
            `the fund pays ${nameOf(event.accountIndex)}'s debt of ${dollars(event.amountMicros)} USDC`,
          );
          break;
        case 'position-settled': {
          const { instrumentId, lots, isShort, cashMicros, accountIndex } = event;
          const size = `${coins(lots, listing.lotE8Of(instrumentId))} ${listing.symbolOf(instrumentId)}`;
          this.note(
            `${nameOf(accountIndex)} is settled: ${isShort ? 'short' : 'long'} ${size} for ${dollars(cashMicros)} USDC`,
          );
          break;
        }
        case 'withdrawal':
          this.note(
            `${nameOf(event.accountIndex)} withdraws ${amountText(event.tokenId, event.servedAmount)}`,
          );
          break;
        case 'l1-operation':
          if (!event.outcome.isApplied) {
            this.note(
              `L1 operation ${event.queueIndex} is refused (${event.outcome.reason}): its owner gets it back`,
            );
          }
          break;
        case 'batch-poisoned':
          this.note(`batch ${event.batchNumber} cannot be proved: ${event.error}`);
          break;
        case 'trade-voided':
          this.note(`trade ${event.tradeId} is voided: ${event.because.message}`);
          break;
        default:
          break;
      }
    });
  }

  /** Shown under the bar in which it happened. */
  note(text: string): void {
    this.#notes.push(text);
  }

  bar({ oracleBar, feed, barSec }: Step, round: AcceptedRound): void {
    const { ordersAccepted, trades, batchesSealed, batchesProven, batchesFinal } = this.#story;
    const minute = new Date(Number(oracleBar.closeSec - barSec) * 1000).toISOString().slice(11, 16);
    const [btc, eth] = feed[feed.length - 1];
    const cells = [
      minute,
      `BTC ${dollars(btc).padStart(9)}`,
      `ETH ${dollars(eth).padStart(8)}`,
      `round ${String(round.table.roundNumber).padStart(2)}${round.isVoid ? ' VOID' : ''}`,
      `orders ${String(ordersAccepted).padStart(3)}`,
      `trades ${String(trades).padStart(2)}`,
      `batches ${batchesSealed} sealed, ${batchesProven} proved, ${batchesFinal} on L1`,
    ];
    this.#terminal.line(cells.join('  '));
    this.flush();
  }

  /** An expiry: what it is settled at. @param rounds that the oracle posted for it, the last of them proved */
  settled({ futureId, settlementMicros }: SettledBlock, timeSec: bigint, rounds: number): void {
    const { trades, batchesSealed, batchesProven, batchesFinal } = this.#story;
    const cells = [
      new Date(Number(timeSec) * 1000).toISOString().slice(11, 16),
      `EXPIRY of ${this.#listing.symbolOf(futureId)}: ${rounds} rounds posted, one proved; settlement price ${dollars(settlementMicros)}`,
      `trades ${String(trades).padStart(2)}`,
      `batches ${batchesSealed} sealed, ${batchesProven} proved, ${batchesFinal} on L1`,
    ];
    this.#terminal.line(cells.join('  '));
  }

  cleared({ futureId }: SettledBlock): void {
    this.note(`nobody holds anything of ${this.#listing.symbolOf(futureId)}: its block is empty on L1`);
    this.flush();
  }

  /** Prints notes that have no bar. */
  flush(): void {
    for (const note of this.#notes.splice(0)) this.#terminal.note(note);
  }

  nameOf(accountIndex: number): string {
    return this.#nameOf(accountIndex);
  }
}
