import { readdir, readFile } from 'node:fs/promises';
import { AgentError } from './agent-error.js';
import { until } from './until.js';

/** QEMU ends at once when it is asked to and can. */
const quitMs = 10_000;
/** How long the kernel may take to take away what was killed. */
const killMs = 60_000;

/** What tells a process from a later one of its number; null: it is not there. */
export async function startTime(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name may have anything in it, and ends with the last parenthesis: the state is the next word.
  const [state, ...words] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === undefined || ['', 'Z', 'X'].includes(state) ? null : (words[18] ?? null);
}

/**
 * Whether it is still that process, which was given this argument. One that is ending has none any more,
 * and may have its files open for a while.
 */
export async function isStill(pid: number, since: string, argument: string): Promise<boolean> {
  if ((await startTime(pid)) !== since) return false;
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return line === '' || line.split('\0').includes(argument);
}

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
