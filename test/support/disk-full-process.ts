/**
 * A sequencer's engine on a directory, for a parent that limits what this process may write: it takes commands, tells on
 * standard output how many it acknowledged, and ends with 3 once the engine has stopped.
 * argv: directory, commands to send.
 */
import { writeSync } from 'node:fs';
import { PgliteStore } from '#sequencer/ledger/pglite-store.ts';
import { World } from './engine.ts';

const [directory, count] = process.argv.slice(2);
const tell = (line: string) => writeSync(1, `${line}\n`);
/** So many marks make a record of some kilobytes, so that the disk is full after a few hundred. */
const MARKS = 100;

const world = await World.open({}, await PgliteStore.open(directory));
for (let i = 1n; i <= BigInt(count); i++) {
  // Digits that do not repeat: the database compresses what does.
  const marks = Array.from({ length: MARKS }, (_, at) => ({
    instrumentId: at,
    markMicrosPerLot: 1n + ((i * 0x9e3779b97f4a7c15n * BigInt(at + 1)) % (1n << 60n)),
  }));
  try {
    await world.engine.command({ kind: 'feed', marks });
  } catch (error) {
    tell(`stopped: ${world.fatal?.message ?? (error as Error).message}`);
    process.exit(3);
  }
  tell(`acknowledged ${world.engine.logSequence}`);
}
tell('done');
