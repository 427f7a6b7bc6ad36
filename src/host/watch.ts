import { EventEmitter } from 'node:events';
import { type FSWatcher, watch as watchFolder } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaError } from '../errors.js';
import { EventQueues } from '../event-queues.js';
import { openUeventMonitor, type UeventMonitor } from '../native.js';
import { eachInTurns, inTurns } from '../turns.js';
import { Connection } from './connection.js';
import { HealthFollower } from './health-follower.js';
import type { HostEvent, HostEventOf, HostEventType } from './host-event.js';
import { HostState } from './host-state.js';
import type { Inventory } from './inventory.js';
import type { CheckedWatchOptions } from './parse-options.js';
import { type Batch, PendingChanges } from './pending-changes.js';

/** Listeners by the type of event: each gets the event itself. */
export type WatchEvents = { [Type in HostEventType]: [HostEventOf<Type>] };

/** VFs come and go by the hundred: wait so long before everything is read for them. */
const burstMs = 30;
/** After an attempt that failed, whatever happens meanwhile: it fails for a reason that stays. */
const retryMs = 1000;
/** A reading while the host kept changing may show what two moments had: look again. */
const unsettledMs = 250;

/**
 * A host that is followed: its inventory as of now, and an event for each change.
 *
 * Events are hints for it: what they name is read again, and what is told is the difference between
 * two readings. So nothing is told twice, and after a loss the state is right again. It keeps no
 * process alive, and uses a thread of its own.
 */
export class HostWatch extends EventEmitter<WatchEvents> implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #pending = new PendingChanges();
  readonly #queues = new EventQueues<HostEvent>({
    type: 'resync',
    reason: 'consumer-slow',
  });
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #closed = new AbortController();
  readonly #rereadMs: number;
  readonly #healthMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onClose: (watch: HostWatch) => void;
  #state: HostState | undefined;
  #monitor: UeventMonitor | undefined;
  #nodes: FSWatcher | undefined;
  #health: HealthFollower | undefined;
  #running: Promise<void> | undefined;
  /** After an attempt that failed. */
  #resting = false;
  #failure: { readonly reason: unknown } | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    connection: Connection,
    { rereadMs, healthMs, signal }: CheckedWatchOptions,
    onClose: (watch: HostWatch) => void,
  ) {
    super();
    this.#connection = connection;
    this.#rereadMs = rereadMs;
    this.#healthMs = healthMs;
    this.#signal = signal;
    this.#onClose = onClose;
  }

  /**
   * Subscribes, then reads the host, then follows. The watches that are open or being opened are in
   * the set.
   *
   * @internal use `VdpaHost.watch`
   */
  static async open(
    timeoutMs: number,
    options: CheckedWatchOptions,
    watches: Set<HostWatch>,
  ): Promise<HostWatch> {
    options.signal?.throwIfAborted();
    const connection = new Connection('/', timeoutMs);
    const watch = new HostWatch(connection, options, (closed) => watches.delete(closed));
    watches.add(watch);
    try {
      await watch.#start(options.receiveBufferBytes);
      // It may have been ended while it was being opened.
      options.signal?.throwIfAborted();
      connection.assertOpen();
    } catch (error) {
      await watch.close();
      throw error;
    }
    return watch;
  }

  /** The host as of the latest reading. */
  get inventory(): Inventory {
    if (this.#state === undefined) throw new TypeError('the watch has not been opened');
    return this.#state.inventory;
  }

  /** Every event from now on. A loop that is left, by whatever way, takes none any more. */
  [Symbol.asyncIterator](): AsyncIterableIterator<HostEvent, undefined, undefined> {
    return this.#queues.open(this.#closing !== undefined, this.#failure);
  }

  /** Loops end after the events that they have not taken yet. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #start(receiveBufferBytes: number): Promise<void> {
    const signal = this.#signal;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#monitor = openUeventMonitor(receiveBufferBytes, (events, lost) => {
      for (const event of events) this.#pending.addEvent(event);
      if (lost) this.#pending.addLoss();
      this.#schedule();
    });
    // The kernel tells of the device, nobody of its node: another program may make or remove it.
    this.#nodes = watchNodes((path) => {
      const device = this.#state?.nameOfNode(path) ?? null;
      if (device === null) return;
      this.#pending.addDevice(device);
      this.#schedule();
    });
    const snapshot = await this.#read(signal);
    this.#state = await inTurns(HostState.of(snapshot));
    // Ended while it was being opened: who ends it does not see what is begun from here on.
    if (this.#closing !== undefined) return;
    if (this.#healthMs > 0) {
      const connection = new Connection('/', this.#connection.timeoutMs);
      this.#health = new HealthFollower(connection, this.#healthMs, (event) => this.#tell(event));
      this.#health.start(this.inventory.devices);
    }
    if (this.#rereadMs > 0) this.#every(this.#rereadMs);
    this.#schedule();
  }

  readonly #onAbort = (): void => {
    this.#failure = { reason: this.#signal?.reason };
    void this.close();
  };

  async #end(): Promise<void> {
    this.#closed.abort();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#monitor?.close();
    this.#nodes?.close();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#queues.end(this.#failure);
    await this.#running;
    await this.#health?.close();
    await this.#connection.close();
    this.#onClose(this);
  }

  /** Everything, and from when on events are news. */
  async #read(signal?: AbortSignal) {
    const snapshot = await this.#connection.call('watch', (native, ms) => native.snapshot(ms), {
      signal,
    });
    this.#pending.readUpTo(snapshot.ueventSeqnum);
    if (!snapshot.consistent) this.#later(unsettledMs);
    return snapshot;
  }

  /** One reading at a time; what comes meanwhile is the next one's. */
  #schedule(): void {
    if (this.#state === undefined || this.#closing !== undefined) return;
    if (this.#running !== undefined || this.#resting || !this.#pending.any) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#schedule();
    });
  }

  async #run(): Promise<void> {
    if (this.#pending.everything) await this.#pause(burstMs);
    if (this.#closing !== undefined) return;
    const batch = this.#pending.take();
    let events: readonly HostEvent[];
    try {
      events = await this.#changes(batch);
    } catch (error) {
      if (this.#closing !== undefined) return;
      if (!(error instanceof VdpaError)) throw error;
      // At once: what it says went away must not be forgotten, nor told after it was told already.
      this.#pending.putBack({ ...batch, everything: true });
      this.#resting = true;
      this.#timer(retryMs, () => {
        this.#resting = false;
        this.#schedule();
      });
      this.#tell({ type: 'stale', error });
      return;
    }
    if (batch.lost) this.#tell({ type: 'resync', reason: 'events-lost' });
    await inTurns(eachInTurns(events, (event) => this.#tell(event)));
  }

  async #changes(batch: Batch): Promise<readonly HostEvent[]> {
    const state = this.#state;
    if (state === undefined) return [];
    if (!batch.everything) {
      const rows = await this.#connection.call('watch', (native, ms) =>
        native.namedDevices(batch.names, ms),
      );
      if (state.knowsParentsOf(rows)) return state.patch(batch.names, rows, batch.removed);
    }
    return await inTurns(state.replace(await this.#read(), batch.removed));
  }

  #tell(event: HostEvent): void {
    // A listener may have closed in the middle of what one reading brought.
    if (this.#closing !== undefined) return;
    this.#queues.push(event);
    try {
      this.emit(event.type, ...([event] as never));
    } catch (error) {
      // A listener's mistake is the program's, not the watch's: it goes where such mistakes go.
      process.nextTick(() => {
        throw error;
      });
    }
    this.#health?.see(event);
  }

  /** Ends early when the watch does. */
  async #pause(milliseconds: number): Promise<void> {
    const options = { ref: false, signal: this.#closed.signal };
    await sleep(milliseconds, undefined, options).catch(() => {});
  }

  #every(milliseconds: number): void {
    this.#timer(milliseconds, () => {
      this.#pending.addEverything();
      this.#schedule();
      this.#every(milliseconds);
    });
  }

  #later(milliseconds: number): void {
    this.#timer(milliseconds, () => {
      this.#pending.addEverything();
      this.#schedule();
    });
  }

  #timer(milliseconds: number, work: () => void): void {
    if (this.#closing !== undefined) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, milliseconds).unref();
    this.#timers.add(timer);
  }
}

/**
 * Calls with the path of each vhost-vdpa node that is made or removed.
 *
 * @throws {VdpaError} `RESOURCE_EXHAUSTED`
 */
function watchNodes(listener: (path: string) => void): FSWatcher {
  try {
    const watcher = watchFolder('/dev', { persistent: false }, (kind, name) => {
      // "change" is somebody who writes to it, as a hypervisor does all the time.
      if (kind === 'rename' && /^vhost-vdpa-\d+$/.test(name ?? '')) listener(`/dev/${name}`);
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new VdpaError(
      'RESOURCE_EXHAUSTED',
      `/dev can not be watched: ${cause.message}: raise fs.inotify.max_user_instances`,
      { errno: 'code' in cause ? String(cause.code) : undefined, step: 'inotify /dev', cause },
    );
  }
}
