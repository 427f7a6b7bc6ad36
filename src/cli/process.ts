import { type CliIo, Interruption } from './io.js';
import { run, type Services } from './run.js';

/**
 * Runs the command as this process: its arguments, streams, signals and exit status.
 *
 * The status is set, not exited with, so that a pipe gets all of the output. Only an interruption
 * exits: a call that the kernel still holds must not keep an interrupted command alive.
 */
export async function runInProcess(services?: Services): Promise<void> {
  const { stdout, stderr } = process;
  const ending = new AbortController();
  const interrupt = (message: string, exitCode: number): void =>
    ending.abort(new Interruption(message, exitCode));

  let outputError: NodeJS.ErrnoException | undefined;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    outputError ??= error;
    // A reader that has seen enough (`| head`) is no failure; a full disk is.
    interrupt('nobody reads the output', error.code === 'EPIPE' ? 0 : 1);
  });
  stderr.on('error', () => {});
  // Once: a second Ctrl-C gets the default and ends the process at once.
  process.once('SIGINT', () => interrupt('interrupted', 130));
  process.once('SIGTERM', () => interrupt('terminated', 143));

  const io: CliIo = {
    stdout,
    stderr,
    isTty: stdout.isTTY === true,
    env: process.env,
    columns: stdout.columns,
    signal: ending.signal,
    confirm:
      process.stdin.isTTY === true && process.stderr.isTTY === true
        ? (question) => confirmed(question, ending.signal)
        : undefined,
  };
  let exitCode = await run(process.argv.slice(2), io, services);
  await written(stdout);
  if (outputError !== undefined && outputError.code !== 'EPIPE') {
    exitCode = 1;
    stderr.write(`vdpa-host: the output could not be written: ${outputError.message}\n`);
  }
  await written(stderr);
  process.exitCode = exitCode;
  if (ending.signal.aborted) process.exit(exitCode);
}

/** Resolves when everything written so far has left the process, or never can. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
}

/** Asks on stderr, which is a terminal also when the output is read by a program. */
async function confirmed(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // At its end, as by Ctrl-D, nobody will answer.
  const ended = new AbortController();
  lines.once('close', () => ended.abort());
  try {
    const answer = await lines.question(question, {
      signal: AbortSignal.any([signal, ended.signal]),
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    signal.throwIfAborted();
    return false;
  } finally {
    lines.close();
  }
}
