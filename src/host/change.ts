import { abortable } from '../abortable.js';
import { VdpaError } from '../errors.js';
import type { ChangeOptions, Connection } from './connection.js';
import { mostTimeoutMs } from './host-options.js';
import { assertVdpaBus } from './vdpa-bus.js';

/** The time limit and the signal of one change, which consists of several steps. */
export class Change {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly #until: number;

  /** @throws {TypeError} when the limit has the wrong form */
  constructor(connection: Connection, { signal, timeoutMs }: ChangeOptions = {}) {
    this.signal = signal;
    this.timeoutMs = timeoutMs ?? connection.timeoutMs;
    if (!Number.isInteger(this.timeoutMs) || this.timeoutMs < 1 || this.timeoutMs > mostTimeoutMs) {
      throw new TypeError(
        `timeoutMs: expected a whole number from 1 to ${mostTimeoutMs}, not ${timeoutMs}`,
      );
    }
    this.#until = performance.now() + this.timeoutMs;
  }

  /** Milliseconds; 1 when none are left, so that the step itself says that time is up. */
  get left(): number {
    return Math.max(1, Math.ceil(this.#until - performance.now()));
  }
}

/**
 * Settles as the work does, or rejects with the signal's reason. What has begun runs its course.
 */
export async function unlessAborted<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  return await abortable(work(), signal);
}

/** @throws {VdpaError} `HOST_CAPTURED`, `CLOSED`, `VDPA_MODULE_MISSING` */
export function assertChangeable(connection: Connection, what: string): void {
  connection.assertOpen();
  if (!connection.live) {
    throw new VdpaError(
      'HOST_CAPTURED',
      `${what}: this is a captured host, and only this machine itself can be changed`,
      { retry: 'never' },
    );
  }
  assertVdpaBus(connection.native, what);
}
