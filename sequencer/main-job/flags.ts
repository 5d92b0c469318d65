/** What the main job is told on its command line. */
import { InputError } from '#protocol/errors.ts';
import { MARKET_NAMES, type MarketName } from './plan.ts';

export interface Flags {
  /** Ends after the summary. */
  readonly isExiting: boolean;
  /** Of the API; 0 lets the system choose. */
  readonly port: number;
  readonly market: MarketName;
}

const DEFAULT_MARKET: MarketName = 'linear';

/** @throws InputError for a value that a flag does not take */
export function flagsOf(parameters: readonly string[]): Flags {
  const textOf = (flag: string, absent: string): string => {
    const place = parameters.indexOf(flag);
    return place < 0 ? absent : (parameters[place + 1] ?? '');
  };
  const portText = textOf('--port', '0');
  const port = Number(portText);
  if (!/^\d+$/.test(portText) || port > 65_535) throw new InputError('--port', portText, 'a port number');
  const marketText = textOf('--market', DEFAULT_MARKET);
  const market = MARKET_NAMES.find((name) => name === marketText);
  if (market === undefined) throw new InputError('--market', marketText, `one of ${MARKET_NAMES.join(', ')}`);
  return { isExiting: parameters.includes('--exit'), port, market };
}
