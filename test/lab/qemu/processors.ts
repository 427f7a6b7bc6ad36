import { type ChildProcess, spawn } from 'node:child_process';
import * as lab from '../../support/lab-host.js';

/** From here on this process, with all its threads, stays on processor 0. */
export function stayHere(): void {
  lab.run('taskset', '--all-tasks', '--cpu-list', '--pid', '0', `${process.pid}`);
}

/** Runs a program on processor 1, until `stop` or its end. Its words are nobody's but a failure's. */
export function elsewhere(command: string, ...args: readonly string[]): ChildProcess {
  return spawn('taskset', ['--cpu-list', '1', command, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Ends a program that was to run all the while; one that has ended by itself was no test. */
export async function stop(other: ChildProcess): Promise<void> {
  const ranToHere = other.exitCode === null && other.signalCode === null;
  other.kill('SIGKILL');
  await lab.ended(other);
  if (!ranToHere) throw new Error(`the other program ended early, with ${other.exitCode}`);
}
