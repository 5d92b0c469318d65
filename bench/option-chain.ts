/** Prints the table of docs/options.md: our rows of three real chains against double precision and the exchange's marks. */
import { UNDERLYINGS } from '#protocol/instrument.ts';
import { distributionOf, readChain, SNAPSHOTS } from '#test/support/option/chain.ts';
import { measureExpiry, noChainErrors } from '#test/support/option/chain-errors.ts';

const show = (values: readonly number[]): string => {
  const { mean, p99, max } = distributionOf(values);
  return [mean, p99, max].map((value) => value.toExponential(1)).join(' / ');
};
const DAY_SEC = 86_400;

console.log(
  '| snapshot | coin | instruments | own mark | regular loss | tail loss | exchange | beyond its rounding | against exchange |',
);
for (const snapshot of SNAPSHOTS) {
  const expiries = readChain(snapshot);
  UNDERLYINGS.forEach((coin, underlying) => {
    for (const isShort of [false, true]) {
      const errors = noChainErrors();
      for (const expiry of expiries) {
        const isUnderDay = expiry.expirySec - snapshot.timeSec < DAY_SEC;
        if (expiry.underlying === underlying && isUnderDay === isShort) measureExpiry(expiry, errors);
      }
      const columns = [
        errors.ownMark,
        errors.regularLosses,
        errors.tailLosses,
        errors.exchangeMark,
        errors.exchangeBeyondRounding,
        errors.againstExchange,
      ];
      const label = isShort ? `${coin}, under a day` : coin;
      console.log(
        `| ${snapshot.file} | ${label} | ${errors.ownMark.length} | ${columns.map(show).join(' | ')} |`,
      );
    }
  });
}
