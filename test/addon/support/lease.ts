import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * A process that holds a write lease on a file. Who opens the file then waits inside open(), as long
 * as the lease is held, up to the kernel's lease-break-time of 45 seconds: the one way to keep a
 * thread in a system call on any machine, and to let it go on command.
 */
export class Lease implements AsyncDisposable {
  readonly #holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  static async take(path: string): Promise<Lease> {
    const program =
      'import fcntl, os, signal, sys, time\n' +
      'signal.signal(signal.SIGIO, signal.SIG_IGN)\n' +
      'descriptor = os.open(sys.argv[1], os.O_RDWR)\n' +
      // Refused while anything else, the writing to disk included, has the file in hand.
      'for attempt in range(1000):\n' +
      '  try: fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK); break\n' +
      '  except BlockingIOError: time.sleep(0.01)\n' +
      'else: sys.exit("the file stays busy")\n' +
      'print("held", flush=True)\n' +
      'sys.stdin.read()\n';
    const { LD_PRELOAD: _, ...env } = process.env;
    const holder = spawn('python3', ['-c', program, path], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [first] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
    if (!String(first).startsWith('held')) throw new Error(`no lease on ${path}`);
    return new Lease(holder);
  }

  /** Lets everyone go who waits. */
  async release(): Promise<void> {
    if (this.#holder.exitCode !== null) return;
    this.#holder.stdin?.end();
    await once(this.#holder, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
