import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { checkCircuits } from './circuit-findings.ts';
import { ROOT, sourceFiles } from './repository-files.ts';

// Everything that can be said about the code without running it. All checks run, then one exit code.

function passes(tool: string, args: string[]): boolean {
  const script = join(ROOT, 'node_modules', tool);
  return spawnSync(process.execPath, [script, ...args], { cwd: ROOT, stdio: 'inherit' }).status === 0;
}

function circuitsPass(): boolean {
  const problems = checkCircuits();
  for (const problem of problems) console.error(problem);
  return problems.length === 0;
}

const isOwnContract = (path: string) => path.startsWith('contracts/') && path.endsWith('.sol');

const CHECKS: { name: string; run: () => boolean }[] = [
  { name: 'types', run: () => passes('typescript/bin/tsc', ['--noEmit']) },
  {
    name: 'format and lint',
    run: () => passes('@biomejs/biome/bin/biome', ['check', '--error-on-warnings']),
  },
  {
    name: 'contracts',
    run: () =>
      !sourceFiles().some(isOwnContract) ||
      passes('solhint/solhint.js', ['--max-warnings', '0', '--noPoster', 'contracts/**/*.sol']),
  },
  { name: 'circuits', run: circuitsPass },
  { name: 'architecture', run: () => passes('mocha/bin/mocha.js', ['test/architecture.test.ts']) },
];

function run(check: { name: string; run: () => boolean }): boolean {
  const started = performance.now();
  let passed = false;
  try {
    passed = check.run();
  } catch (error) {
    console.error(error);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${check.name} (${seconds} s)`);
  return passed;
}

const results = CHECKS.map(run);
process.exitCode = results.every(Boolean) ? 0 : 1;
