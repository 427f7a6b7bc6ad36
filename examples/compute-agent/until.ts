import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from './agent-error.js';

const firstWaitMs = 10;
const longestWaitMs = 250;

/** Asks again until it is so. @throws {AgentError} `TIMEOUT` */
export async function until(
  what: string,
  timeoutMs: number,
  condition: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (
    let waitMs = firstWaitMs;
    !(await condition());
    waitMs = Math.min(2 * waitMs, longestWaitMs)
  ) {
    if (performance.now() >= deadline) {
      throw new AgentError('TIMEOUT', `waited ${timeoutMs / 1000} seconds in vain until ${what}`);
    }
    await sleep(waitMs);
  }
}
