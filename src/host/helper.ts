import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { VdpaError } from '../errors.js';
import { helperProgram } from '../native.js';
import { ChangeReport } from './change-report.js';

/**
 * How long after its time the helper may take to say what it was stuck in, and from one thing that it
 * puts back to the next.
 */
const graceMs = 1500;

/** What the helper is asked to do (native/core/change_task.h). */
export interface HelperTask {
  /** In words, for errors: `delete vdpa0`. */
  readonly what: string;
  readonly verb: 'delete' | 'bind' | 'vfs';
  readonly force: boolean;
  /** Target and the verb's own arguments. */
  readonly words: readonly string[];
  readonly timeoutMs: number;
}

/**
 * Makes one change in a process of its own. The kernel may keep that process for as long as it
 * likes: it has nothing of ours, is never waited for beyond its time, and ends its work by itself
 * when this process ends first.
 *
 * @throws {VdpaError} why it was not made
 */
export async function runHelper(task: HelperTask): Promise<ChangeReport> {
  const { what, verb, force, words, timeoutMs } = task;
  const report = new ChangeReport();
  const args = [verb, `${timeoutMs}`, force ? 'force' : 'gentle', ...words];
  const silent = await finish(report, what, args, timeoutMs + graceMs);
  const failure = report.failure(what, silent);
  if (failure !== undefined) throw failure;
  return report;
}

/** Reads the report to its end. */
function finish(
  report: ChangeReport,
  what: string,
  args: readonly string[],
  limitMs: number,
): Promise<'stuck' | 'died'> {
  const child = started(what, args);
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout, terminal: false });
    const settle = (silent: 'stuck' | 'died'): void => {
      resolve(silent); // first: closing the lines settles again
      clearTimeout(timer);
      lines.close();
      child.stdout.destroy();
      child.unref();
    };
    const giveUp = (): void => {
      // It has not even begun, or waits in its first opening: what is told now must stay true.
      child.kill('SIGKILL');
      settle('stuck');
    };
    const until = performance.now() + limitMs;
    let timer = setTimeout(giveUp, limitMs);
    child.once('error', (cause) => {
      reject(notStarted(what, cause));
      settle('died');
    });
    lines.on('line', (line) => {
      report.add(line);
      clearTimeout(timer);
      if (report.ended) settle('died');
      else timer = setTimeout(giveUp, Math.max(graceMs, until - performance.now()));
    });
    lines.once('close', () => settle('died'));
  });
}

function started(what: string, args: readonly string[]) {
  // Of a group of its own: what ends this process's group (Ctrl-C, a supervisor) lets it finish.
  const child = spawn(helperProgram(), args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
    env: {},
    cwd: '/',
  });
  if (child.stdout instanceof Readable) return child;
  // Without a descriptor left there are no pipes either; the event says no more.
  child.once('error', () => {});
  throw notStarted(
    what,
    Object.assign(new Error('no file descriptor is left'), { code: 'EMFILE' }),
  );
}

function notStarted(what: string, cause: NodeJS.ErrnoException): VdpaError {
  const short = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'].includes(cause.code ?? '');
  return new VdpaError(
    short ? 'RESOURCE_EXHAUSTED' : 'ADDON_MISSING',
    `${what}: the helper program could not be started: ${cause.message}`,
    { cause, errno: cause.code, retry: short ? 'later' : 'after-fix' },
  );
}
