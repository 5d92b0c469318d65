/** Takes the lock of a ledger directory, says whether it got it, and holds it until it is killed. */
import { DirectoryLock, LedgerInUse } from '#sequencer/ledger/directory-lock.ts';

const lock = await DirectoryLock.take(process.argv[2]).catch((error: Error) => {
  if (error instanceof LedgerInUse) return undefined;
  throw error;
});
console.log(lock === undefined ? 'refused' : 'owner');
setInterval(() => lock, 1_000);
