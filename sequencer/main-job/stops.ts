/** Ends what a job has started before the process ends: when it is done, when it fails, and when it is told to stop. */
import { constants } from 'node:os';

const FAILED = 1;
/** What a shell calls a process that a signal ended is 128 and the signal's number: 130 for Ctrl-C. */
const SIGNALLED = 128;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** A batch on its way to L1 is waited for; nothing here takes as long. */
const STOP_LIMIT_MS = 30_000;

/** What has to be ended, latest first; may be asked to at any time, also while things are being started. */
export class Stops {
  readonly #ends: (() => Promise<void>)[] = [];

  push(end: () => Promise<void>): void {
    this.#ends.push(end);
  }

  /** @throws AggregateError when something could not be ended; everything else is. */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) {
      await end().catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw new AggregateError(errors, 'not everything could be ended');
  }
}

/** Waits for the first signal that asks to stop. @returns the exit code it calls for */
async function signalled(): Promise<number> {
  const signal = await new Promise<(typeof SIGNALS)[number]>((resolve) => {
    // Not once: Ctrl-C under npm comes twice, and the second one must not break off the stopping.
    for (const name of SIGNALS) process.on(name, () => resolve(name));
  });
  console.error(`\nstopped by ${signal}`);
  return SIGNALLED + constants.signals[signal];
}

/** Runs a job, ends everything it started, and then the process: with the job's code, or with that of a signal. */
export async function runToEnd(job: (stops: Stops) => Promise<number>): Promise<never> {
  const stops = new Stops();
  let code = FAILED;
  try {
    // A job that is interrupted fails as what it works with is ended: of that nobody is told.
    code = await Promise.race([signalled(), job(stops)]);
  } catch (error) {
    console.error(`\n${(error as Error).stack ?? error}`);
  }
  const limit = setTimeout(() => {
    console.error(`not everything had ended after ${STOP_LIMIT_MS / 1000} s`);
    process.exit(FAILED);
  }, STOP_LIMIT_MS);
  try {
    await stops.run();
  } catch (error) {
    console.error(error);
    code = FAILED;
  }
  clearTimeout(limit);
  process.exit(code);
}
