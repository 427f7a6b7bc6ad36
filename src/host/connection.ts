import { abortable } from '../abortable.js';
import { type Outcome, VdpaError } from '../errors.js';
import { type NativeHost, openNativeHost } from '../native.js';
import { inTurns } from '../turns.js';
import { type CaptureManifest, manifestName, parseManifest } from './capture-manifest.js';
import { type Inventory, inventoryOf } from './inventory.js';
import type { MachineFacts } from './machine-facts.js';

export interface CallOptions {
  /** Rejects the call with the signal's reason. What the kernel was already asked runs its course. */
  readonly signal?: AbortSignal | undefined;
}

/** Of the calls that change the host. */
export interface ChangeOptions extends CallOptions {
  /**
   * How long the change may take, in milliseconds from 1 to 600,000; undoing a failed one may take
   * as long again. Default: the host's.
   */
  readonly timeoutMs?: number | undefined;
}

/** What a call is to the host. */
interface NativeCallOptions extends ChangeOptions {
  /** Whether it changes the host: when no answer comes, what it did is unknown. */
  readonly changes?: boolean | undefined;
}

/** How long after the core's own deadline a call counts as stuck in the kernel. */
const graceMs = 500;
/** Threads that the kernel may hold at once before calls fail without trying. */
const maxStuck = 4;

/**
 * The one way to the native host: calls go one at a time, each with a deadline, and none can hold
 * the process's other work. A call that the kernel keeps beyond its deadline is left behind on its
 * thread, and the next goes to a fresh one.
 */
export class Connection {
  readonly native: NativeHost;
  /** False for a captured tree. */
  readonly live: boolean;
  /** What a captured tree says of itself, if it does. */
  readonly capture: CaptureManifest | null;
  /** What the machine was last asked beside its files; of a capture what it was asked there. */
  facts: MachineFacts | undefined;
  readonly root: string;
  readonly timeoutMs: number;
  #tail: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #stuck = 0;
  readonly #beside = new Set<Promise<unknown>>();

  /** @throws {VdpaError} `ADDON_MISSING`, `ROOT_INVALID`, `CAPTURE_INVALID`, `CAPTURE_TOO_NEW` */
  constructor(root: string, timeoutMs: number) {
    this.native = openNativeHost(root);
    this.live = root === '/';
    const manifest = this.live ? null : this.native.readText(manifestName);
    this.capture = manifest === null ? null : parseManifest(manifest, root);
    this.facts = this.capture?.machine;
    this.root = root;
    this.timeoutMs = timeoutMs;
  }

  /** Another one to the same host, which remembers all that it reads. */
  recording(): Connection {
    const connection = new Connection(this.root, this.timeoutMs);
    connection.native.record();
    return connection;
  }

  /** Runs work on connections of its own, which `close` waits for as it does for a call. */
  async beside<T>(work: () => Promise<T>): Promise<T> {
    this.assertOpen();
    const running = work();
    this.#beside.add(running);
    try {
      return await running;
    } finally {
      this.#beside.delete(running);
    }
  }

  /** All of the host, in a call. A capture of one that kept changing says so of every reading. */
  async inventory(native: NativeHost, timeoutMs: number): Promise<Inventory> {
    const inventory = await inTurns(inventoryOf(await native.snapshot(timeoutMs)));
    return this.capture?.consistent === false ? { ...inventory, consistent: false } : inventory;
  }

  /** Runs one native call when those before it are done. `step` names it in errors. */
  async call<T>(
    step: string,
    start: (native: NativeHost, timeoutMs: number) => Promise<T>,
    { signal, timeoutMs = this.timeoutMs, changes = false }: NativeCallOptions = {},
  ): Promise<T> {
    this.assertOpen();
    signal?.throwIfAborted();
    const turn = this.#tail.then(() => {
      this.assertOpen();
      signal?.throwIfAborted();
      if (this.#stuck >= maxStuck) {
        throw this.#timeout(
          step,
          `to ${this.#stuck} earlier requests either, so this one was not sent`,
        );
      }
      return this.#watch(step, start(this.native, timeoutMs), timeoutMs, changes);
    });
    this.#tail = turn.catch(() => {});
    return await abortable(turn, signal);
  }

  /** @throws {VdpaError} `CLOSED` */
  assertOpen(): void {
    if (this.#closing !== undefined) {
      throw new VdpaError('CLOSED', 'this host has been closed: open another', { retry: 'never' });
    }
  }

  /**
   * Waits for the call in progress, then lets go of thread, socket and root. Idempotent: every call
   * resolves when all is gone.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async #end(): Promise<void> {
    await this.#tail;
    await Promise.allSettled(this.#beside);
    await this.native.close();
  }

  async #watch<T>(
    step: string,
    answer: Promise<T>,
    timeoutMs: number,
    changes: boolean,
  ): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    const noted = (): void => {
      settled = true;
    };
    answer.then(noted, noted);
    const stuck = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // When it was this process that was held up, the answer is waiting: timers come before it.
        setImmediate(() => {
          if (settled) return;
          this.#abandon(answer);
          reject(this.#timeout(step, `after ${timeoutMs} ms`, changes ? 'unknown' : 'unchanged'));
        });
      }, timeoutMs + graceMs);
    });
    try {
      return await Promise.race([answer, stuck]);
    } finally {
      clearTimeout(timer);
    }
  }

  #abandon(answer: Promise<unknown>): void {
    this.#stuck++;
    const freed = (): void => {
      this.#stuck--;
    };
    answer.then(freed, freed);
    this.native.abandon();
  }

  #timeout(step: string, detail: string, outcome: Outcome = 'unchanged'): VdpaError {
    const why = this.live
      ? 'the kernel or a driver is holding a lock (creating and deleting devices or VFs does)'
      : 'the captured tree is too large, or its file system does not answer';
    return new VdpaError('KERNEL_TIMEOUT', `${step}: no answer ${detail}: ${why}`, {
      step,
      retry: 'later',
      outcome,
    });
  }
}
