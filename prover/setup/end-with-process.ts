import type { ChildProcess } from 'node:child_process';

/** A child that does not listen to its parent is killed when this process ends by itself, so that it does not work on for nobody. */
export function endWithProcess(child: ChildProcess): void {
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => process.off('exit', kill));
}
