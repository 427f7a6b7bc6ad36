import { readdir, readFile } from 'node:fs/promises';
import { AgentError } from './agent-error.js';
import { until } from './until.js';

/** QEMU ends at once when it is asked to and can. */
const quitMs = 10_000;
/** How long the kernel may take to take away what was killed. */
const killMs = 60_000;

/** A process that was given this argument, whoever started it; null: there is none. */
export async function processWith(argument: string): Promise<number | null> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (line.split('\0').includes(argument)) return Number(name);
  }
  return null;
}

/** Ends it, by force if need be. Resolves when it has no file open any more. */
export async function endProcess(pid: number, ask: () => Promise<unknown>): Promise<void> {
  // One that hangs or is stopped does not answer.
  await ask().catch(() => {});
  try {
    await ended(pid, quitMs);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    kill(pid);
    await ended(pid, killMs);
  }
}

async function ended(pid: number, timeoutMs: number): Promise<void> {
  await until(`process ${pid} has ended`, timeoutMs, async () => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    return status === '' || /^State:\s*[ZX]/m.test(status);
  });
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
