/** Every wire of the batch circuit, at the other half of the traces (test/soundness/whole-mutation.ts). Two files, for two cores. */
import { noticesEveryWire } from '#test/soundness/whole-mutation.ts';
import { TRACES } from '#test/support/batch-traces.ts';

const traces = Object.keys(TRACES);

describe('soundness of the batch circuit', function () {
  this.timeout(1_800_000);
  noticesEveryWire(traces.slice(traces.length / 2));
});
