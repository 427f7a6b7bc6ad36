import { setTimeout as sleep } from 'node:timers/promises';
import { abortable } from '../abortable.js';
import { VdpaError } from '../errors.js';
import { type LibvirtEvent, type LibvirtPlace, LibvirtProcess } from './libvirt-process.js';

/** Before the first attempt to connect again; then twice as long, up to the longest. */
const firstWaitMs = 100;
const longestWaitMs = 5_000;
/** How long one attempt may take: a daemon that starts takes connections before it serves them. */
const openMs = 60_000;

export interface LibvirtListener {
  event(event: LibvirtEvent): void;
  /** The connection is there again; what happened meanwhile has not been told. */
  reconnected(): void;
}

/**
 * The way to libvirt's daemon, which is made anew whenever it breaks. Made at the first call; as long
 * as none has succeeded, each call tries it for itself and says why it fails. Once it was there, calls
 * wait for it to be there again.
 */
export class LibvirtConnection {
  readonly #place: LibvirtPlace;
  readonly #listener: LibvirtListener;
  readonly #closing = new AbortController();
  /** The one that is open, being opened, or being made again. */
  #current: Promise<LibvirtProcess> | null = null;
  #process: LibvirtProcess | null = null;

  constructor(place: LibvirtPlace, listener: LibvirtListener) {
    this.#place = place;
    this.#listener = listener;
  }

  /**
   * As `LibvirtProcess.ask`.
   *
   * @throws {VdpaError} `LIBVIRT_MISSING`, `PERMISSION_DENIED`, `GUEST_UNREACHABLE`, `ADDON_MISSING`
   * @throws the signal's reason
   */
  async ask(words: readonly [string, ...string[]], signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw closed();
    this.#current ??= this.#opened();
    const process = await abortable(this.#current, signal);
    return await process.ask(words, signal);
  }

  /** Ends calls under way with `GUEST_UNREACHABLE`. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(closed());
    await this.#process?.kill();
  }

  /** A first connection, or why there is none. */
  async #opened(): Promise<LibvirtProcess> {
    try {
      return await this.#open();
    } catch (error) {
      this.#current = null;
      throw error;
    }
  }

  async #open(): Promise<LibvirtProcess> {
    const process = new LibvirtProcess(this.#place, (event) => this.#listener.event(event));
    this.#process = process;
    const timer = setTimeout(() => void process.kill(), openMs);
    try {
      await process.opened;
    } finally {
      clearTimeout(timer);
    }
    void process.ended.then(() => this.#lost());
    return process;
  }

  #lost(): void {
    if (this.#closing.signal.aborted) return;
    this.#current = this.#again();
    // Whoever waits for it is told; nobody need.
    this.#current.catch(() => {});
  }

  /** Fails only once it is closed, or the library is gone. */
  async #again(): Promise<LibvirtProcess> {
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      await sleep(waitMs, undefined, { ref: false, signal: this.#closing.signal }).catch(() => {});
      if (this.#closing.signal.aborted) throw closed();
      try {
        const process = await this.#open();
        this.#listener.reconnected();
        return process;
      } catch (error) {
        if (error instanceof VdpaError && error.code === 'GUEST_UNREACHABLE') continue;
        this.#current = null;
        throw error;
      }
    }
  }
}

function closed(): VdpaError {
  return new VdpaError('CLOSED', 'the driver has been closed');
}
