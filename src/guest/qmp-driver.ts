import { connect } from 'node:net';
import { VdpaError } from '../errors.js';
import { EventQueues } from '../event-queues.js';
import type { InstanceId } from '../tracker/claim.js';
import { withinDeadline } from './call-deadline.js';
import type { GuestCallOptions, GuestDriver, GuestVersions } from './guest-driver.js';
import type { GuestEvent } from './guest-event.js';
import type { GuestInterface, WantedInterface } from './guest-interface.js';
import { type InterfaceName, isInterfaceName } from './interface-name.js';
import { throughLosses, whileThere } from './losses.js';
import { MonitorPath } from './monitor-path.js';
import { clearUp, QemuAttach } from './qemu-attach.js';
import { askOf, guestError } from './qemu-refusal.js';
import { guestInterfaces } from './qemu-state.js';
import type { QmpEvent } from './qmp-connection.js';
import { QmpMonitor } from './qmp-monitor.js';
import { unplug } from './unplug.js';

export interface QmpDriverOptions {
  /**
   * Where the QMP monitors of the guests listen: an absolute path, with `{guest}` in place of the
   * guest's id. A monitor serves one client at a time: this one must be the driver's alone.
   */
  readonly monitor: string;
}

/** Unless the caller has a deadline. */
const attachMs = 60_000;
const detachMs = 120_000;
const readMs = 30_000;

/** Guests that are run by QEMU, through its own monitor. */
export class QmpDriver implements GuestDriver {
  readonly #path: MonitorPath;
  readonly #monitors = new Map<InstanceId, QmpMonitor>();
  readonly #queues = new EventQueues<GuestEvent>({
    type: 'resync',
    reason: 'consumer-slow',
  });
  #closing: Promise<void> | null = null;

  /** Does no I/O. @throws {TypeError} for a `monitor` that is no such path */
  constructor({ monitor }: QmpDriverOptions) {
    this.#path = new MonitorPath(monitor);
  }

  async attach(
    guest: InstanceId,
    wanted: WantedInterface,
    options: GuestCallOptions = {},
  ): Promise<GuestInterface> {
    return await this.#using(guest, attachMs, options, async (monitor, signal, deadline) => {
      return await monitor.exclusively(signal, () =>
        new QemuAttach(monitor, wanted).run({ signal: options.signal, deadline }),
      );
    });
  }

  async detach(
    guest: InstanceId,
    name: InterfaceName,
    options: GuestCallOptions = {},
  ): Promise<void> {
    await this.#using(guest, detachMs, options, async (monitor, signal) => {
      await monitor.exclusively(signal, () => detachFrom(monitor, name, signal));
    });
  }

  async interfaces(guest: InstanceId, options: GuestCallOptions = {}): Promise<GuestInterface[]> {
    return await this.#using(guest, readMs, options, async (monitor, signal) => {
      return await throughLosses(signal, () => guestInterfaces(askOf(monitor, signal)));
    });
  }

  async guests({ signal }: GuestCallOptions = {}): Promise<InstanceId[]> {
    this.#assertOpen();
    signal?.throwIfAborted();
    const candidates = await this.#path.candidates();
    const answers = await Promise.all(candidates.map((guest) => listens(this.#path.of(guest))));
    return candidates.filter((_, index) => answers[index]);
  }

  async versions(guest: InstanceId, options: GuestCallOptions = {}): Promise<GuestVersions> {
    return await this.#using(guest, readMs, options, async (monitor, signal) => {
      const { version } = await throughLosses(signal, () => monitor.connection(signal));
      return { qemu: version, libvirt: null };
    });
  }

  events(): AsyncIterableIterator<GuestEvent, undefined, undefined> {
    return this.#queues.open(this.#closing !== null);
  }

  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    await Promise.all([...this.#monitors.values()].map((monitor) => monitor.close()));
    this.#queues.end();
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new VdpaError('CLOSED', 'the driver has been closed');
  }

  #monitorOf(guest: InstanceId): QmpMonitor {
    this.#assertOpen();
    const place = this.#path.of(guest);
    let monitor = this.#monitors.get(guest);
    if (monitor === undefined) {
      monitor = new QmpMonitor(place);
      monitor.listen({
        event: (event) => this.#tellOf(guest, event),
        lost: () => void this.#lost(guest),
      });
      this.#monitors.set(guest, monitor);
    }
    return monitor;
  }

  /** Works with a guest's monitor; one that is idle afterwards is forgotten. */
  async #with<T>(guest: InstanceId, work: (monitor: QmpMonitor) => Promise<T>): Promise<T> {
    const monitor = this.#monitorOf(guest);
    try {
      return await monitor.use(() => work(monitor));
    } finally {
      if (monitor.idle) this.#monitors.delete(guest);
    }
  }

  async #using<T>(
    guest: InstanceId,
    defaultMs: number,
    options: GuestCallOptions,
    work: (monitor: QmpMonitor, signal: AbortSignal, deadline: number) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#with(guest, (monitor) =>
        withinDeadline(defaultMs, options, (signal, deadline) => work(monitor, signal, deadline)),
      );
    } catch (error) {
      throw guestError(error);
    }
  }

  #tellOf(guest: InstanceId, { event, data }: QmpEvent): void {
    const name = data['device'];
    if (!isInterfaceName(name)) return;
    if (event === 'DEVICE_DELETED') this.#tell({ type: 'interface-gone', guest, name });
    if (event === 'DEVICE_UNPLUG_GUEST_ERROR') this.#tell({ type: 'unplug-refused', guest, name });
  }

  /** Either the guest has ended, or its monitor is there still and something may have been missed. */
  async #lost(guest: InstanceId): Promise<void> {
    const signal = AbortSignal.timeout(readMs);
    const reconnected = this.#with(guest, (monitor) =>
      whileThere(signal, async () => {
        await monitor.connection(signal);
      }),
    );
    const there = await reconnected.catch(() => false);
    if (this.#closing !== null) return;
    this.#tell(there ? { type: 'resync', reason: 'reconnected' } : { type: 'guest-gone', guest });
  }

  #tell(event: GuestEvent): void {
    this.#queues.push(event);
  }
}

/** The guest lets go first; then what QEMU has beside the device; then others can have the char device. */
async function detachFrom(
  monitor: QmpMonitor,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<void> {
  await whileThere(signal, async () => {
    const ask = askOf(monitor, signal);
    await unplug(monitor, name, signal);
    await clearUp(ask, name, signal);
  });
}

/** Whether somebody listens there; one that is busy with another client does. */
async function listens(place: string): Promise<boolean> {
  return await new Promise((answer) => {
    const socket = connect({ path: place });
    socket.once('connect', () => {
      socket.destroy();
      answer(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => answer(code === 'EAGAIN'));
  });
}
