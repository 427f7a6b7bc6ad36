import { z } from 'zod';
import { AgentError } from './agent-error.js';
import type { Monitor } from './monitor.js';
import { until } from './until.js';

/** A guest that changes its memory faster than it can be sent never arrives. */
const transferMs = 1_800_000;
/** To stop a transfer, or to run on after one that failed. */
const settleMs = 60_000;

const migration = z.looseObject({
  status: z.string().optional(),
  'error-desc': z.string().optional(),
});
const state = z.looseObject({ status: z.string() });

const settled: ReadonlySet<string | undefined> = new Set([
  undefined,
  'completed',
  'failed',
  'cancelled',
]);

export interface TransferOptions {
  /** In bytes per second. */
  readonly bandwidth: number;
  /** Whether the other end answers: then it has everything when the transfer is done. */
  readonly answered: boolean;
}

/** Such as `running`, `paused`, `inmigrate`, `postmigrate`. */
export async function runState(monitor: Monitor): Promise<string> {
  return state.parse(await monitor.ask('query-status')).status;
}

/** Sends a guest's whole state. @throws {AgentError} `TRANSFER_FAILED`, those of `Monitor.ask` */
export async function transfer(
  monitor: Monitor,
  uri: string,
  { bandwidth, answered }: TransferOptions,
): Promise<void> {
  const capabilities = [{ capability: 'return-path', state: answered }];
  await monitor.ask('migrate-set-capabilities', { capabilities });
  await monitor.ask('migrate-set-parameters', { 'max-bandwidth': bandwidth });
  await monitor.ask('migrate', { uri });
  try {
    await until('the guest has been sent', transferMs, () => isSettled(monitor));
  } catch (error) {
    if (!(error instanceof AgentError && error.code === 'TIMEOUT')) throw error;
    await monitor.ask('migrate_cancel');
  }
  if (await hasLeft(monitor)) return;
  const { status, 'error-desc': why = 'no reason given' } = await migrationOf(monitor);
  throw new AgentError('TRANSFER_FAILED', `the guest was not sent to ${uri}: ${status}: ${why}`);
}

/** Ends a transfer that is under way. @returns whether all had been sent by then */
export async function endTransfer(monitor: Monitor): Promise<boolean> {
  if (!(await isSettled(monitor))) await monitor.ask('migrate_cancel');
  return await hasLeft(monitor);
}

/**
 * Whether the guest's whole state has been sent. `query-migrate` does not tell: of a guest that has come
 * from elsewhere it says `completed` too.
 */
async function hasLeft(monitor: Monitor): Promise<boolean> {
  await until('the transfer has ended', settleMs, async () => {
    return (await isSettled(monitor)) && (await runState(monitor)) !== 'finish-migrate';
  });
  return (await runState(monitor)) === 'postmigrate';
}

async function isSettled(monitor: Monitor): Promise<boolean> {
  return settled.has((await migrationOf(monitor)).status);
}

async function migrationOf(monitor: Monitor) {
  return migration.parse(await monitor.ask('query-migrate'));
}
