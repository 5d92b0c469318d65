/** Runs every benchmark but the long ones one after another: `npm run bench`. Each prints its JSON. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** One script per question; `main-job.ts` and `option-chain.ts` (minutes) and `constraints.ts` are run by themselves. */
const SCRIPTS = [
  'screen.ts',
  'admission.ts',
  'what-if.ts',
  'batch-gas.ts',
  'round-gas.ts',
  'setup.ts',
  'proving.ts',
  'risk-proving.ts',
  'option-error.ts',
];

let isOk = true;
for (const script of SCRIPTS) {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, script)], { stdio: 'inherit' });
  isOk &&= status === 0;
}
process.exitCode = isOk ? 0 : 1;
