import { abortable } from '../abortable.js';
import { VdpaError } from '../errors.js';
import { KeyedTurns } from '../keyed-turns.js';
import type { NumberedNode } from '../native.js';
import { QmpConnection, type QmpEvent } from './qmp-connection.js';
import type { JsonObject } from './qmp-message.js';

/** How long a monitor may take to greet: one that another client has does not. */
const greetingMs = 20_000;

export interface MonitorListener {
  event(event: QmpEvent): void;
  /** The connection ended by itself; nobody else tells of what happens until the next one. */
  lost(): void;
}

/** A guest's monitor: connected when it is first asked, and anew when the connection was lost. */
export class QmpMonitor {
  readonly place: string;
  readonly #listeners = new Set<MonitorListener>();
  #connection: QmpConnection | null = null;
  #opening: Promise<QmpConnection> | null = null;
  #users = 0;
  readonly #changes = new KeyedTurns();
  readonly #closed = new AbortController();

  constructor(place: string) {
    this.place = place;
  }

  /** @returns how to stop listening */
  listen(listener: MonitorListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * @throws {VdpaError} `GUEST_NOT_FOUND`, `GUEST_UNREACHABLE`, `GUEST_TIMEOUT` (it does not greet),
   *   `GUEST_PROTOCOL`, `PERMISSION_DENIED`, `CLOSED`
   */
  async connection(signal: AbortSignal): Promise<QmpConnection> {
    signal.throwIfAborted();
    if (this.#closed.signal.aborted) throw new VdpaError('CLOSED', 'the driver has been closed');
    if (this.#connection?.alive) return this.#connection;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return await abortable(this.#opening, signal);
  }

  /** @throws as `connection` and `QmpConnection.execute` */
  async ask(command: string, given: JsonObject, signal: AbortSignal): Promise<unknown> {
    return await (await this.connection(signal)).execute(command, given, signal);
  }

  /** @throws as `connection` and `QmpConnection.executeWith` */
  async askWith(
    node: NumberedNode,
    command: string,
    given: JsonObject,
    signal: AbortSignal,
  ): Promise<unknown> {
    return await (await this.connection(signal)).executeWith(node, command, given, signal);
  }

  /** Does something with it, which until then is not idle. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
    }
  }

  /** Nobody works with it, and it is neither connected nor about to be. */
  get idle(): boolean {
    return this.#users === 0 && this.#opening === null && this.#connection?.alive !== true;
  }

  /** Runs one change of the guest at a time, in the order in which they are asked for. */
  async exclusively<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return await this.#changes.run(['change'], signal, work);
  }

  /** Waits for the changes under way. Idempotent. */
  async close(): Promise<void> {
    await this.#changes.idle();
    this.#closed.abort(new VdpaError('CLOSED', 'the driver has been closed'));
    this.#connection?.destroy();
    await this.#connection?.ended;
  }

  async #open(): Promise<QmpConnection> {
    const late = AbortSignal.timeout(greetingMs);
    try {
      const opened = await QmpConnection.open(
        this.place,
        AbortSignal.any([late, this.#closed.signal]),
      );
      this.#connection = opened;
      opened.listen((event) => {
        for (const listener of this.#listeners) listener.event(event);
      });
      void opened.ended.then(() => {
        if (this.#connection === opened) this.#connection = null;
        if (this.#closed.signal.aborted) return;
        for (const listener of this.#listeners) listener.lost();
      });
      return opened;
    } catch (error) {
      if (late.aborted && error === late.reason) {
        throw new VdpaError(
          'GUEST_TIMEOUT',
          `the monitor at ${this.place} does not greet: another client may have it`,
          { retry: 'later' },
        );
      }
      throw error instanceof VdpaError && nobodyListens(error)
        ? new VdpaError('GUEST_NOT_FOUND', error.message, {
            errno: error.errno,
            retry: 'later',
            cause: error,
          })
        : error;
    }
  }
}

/** Of connecting: no such path, or what a process left that has ended. */
const nobody: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED']);

function nobodyListens({ code, errno }: VdpaError): boolean {
  return code === 'GUEST_UNREACHABLE' && nobody.has(errno ?? '');
}
