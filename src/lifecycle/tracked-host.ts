import { VdpaError } from '../errors.js';
import { CardSerials, type SerialNumbers } from '../host/card-serials.js';
import type { DeviceId } from '../host/device-id.js';
import { type HostCell, readHostCells } from '../host/host-cells.js';
import type { Inventory } from '../host/inventory.js';
import type { KernelHost } from '../host/kernel-host.js';
import type { PciAddress } from '../host/pci-address.js';
import type { HostWatch } from '../host/watch.js';
import type { Logger } from '../logger.js';
import { type BindingProfile, bindingProfile } from '../policy/binding-profile.js';
import { DeviceSpec } from '../policy/device-spec.js';
import { type PciFacts, pciFactsOf } from '../policy/pci-facts.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import { reportedDevices } from '../policy/reported-devices.js';
import { RetypeGrace } from '../policy/retype-grace.js';
import type { Store } from '../tracker/store.js';
import { Tracker } from '../tracker/tracker.js';
import { eachInTurns, inTurns, type Pausing } from '../turns.js';
import type { CheckedTrackingOptions } from './parse-tracking-options.js';

/** What is followed. */
export interface TrackableHost extends Pick<KernelHost, 'inventory' | 'watch'> {
  readonly root: string;
  /** Whether this process itself is changing the host. */
  readonly isChanging: boolean;
}

/** A vDPA device that nobody can claim, and why. */
export interface UnclaimableDevice {
  readonly id: DeviceId;
  readonly name: string;
  /** Those of the inventory, `no-device-spec` (no entry admits it), `vdpa-gone`. */
  readonly reasons: readonly string[];
}

/** What a tracked host is made of. */
interface TrackedParts {
  readonly spec: DeviceSpec;
  readonly tracker: Tracker;
  readonly cells: readonly HostCell[] | null;
  readonly reading: Reading;
  readonly watch: HostWatch | null;
}

/** The host as it was read last: device_spec is asked with every decision, of the host as it is then. */
class Reading implements PciFacts {
  #inventory: Inventory;
  #facts: PciFacts;

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
    this.#facts = pciFactsOf(inventory);
  }

  get inventory(): Inventory {
    return this.#inventory;
  }

  take(inventory: Inventory): void {
    this.#inventory = inventory;
    this.#facts = pciFactsOf(inventory);
  }

  functionOfNetdev(name: string): ReturnType<PciFacts['functionOfNetdev']> {
    return this.#facts.functionOfNetdev(name);
  }

  physicalFunction(address: PciAddress): ReturnType<PciFacts['physicalFunction']> {
    return this.#facts.physicalFunction(address);
  }
}

/** After something failed in the background. */
const retryMs = 1000;

/**
 * A tracker that knows what the host has: what is read of it becomes the tracker's report, after
 * device_spec and the grace for devices that are being made anew.
 */
export class TrackedHost implements AsyncDisposable {
  readonly #host: TrackableHost;
  readonly #options: CheckedTrackingOptions;
  readonly #logger: Logger | undefined;
  readonly #serials: CardSerials;
  readonly #spec: DeviceSpec;
  readonly #tracker: Tracker;
  readonly #grace: RetypeGrace;
  readonly #cells: readonly HostCell[] | null;
  readonly #reading: Reading;
  #watch: HostWatch | null;
  #following: Promise<void> = Promise.resolve();
  /** Of the report that was asked for last; they follow one another. */
  #reported: Promise<void> = Promise.resolve();
  /** Whether one is asked for that has not begun. */
  #due = false;
  readonly #reportTimer = new Timer();
  readonly #followTimer = new Timer();
  #closing: Promise<void> | null = null;

  private constructor(
    host: TrackableHost,
    options: CheckedTrackingOptions,
    { spec, tracker, cells, reading, watch }: TrackedParts,
  ) {
    this.#host = host;
    this.#options = options;
    this.#logger = options.logger;
    this.#serials = new CardSerials(host.root, options.logger);
    this.#spec = spec;
    this.#tracker = tracker;
    const records = tracker.records();
    this.#grace = new RetypeGrace({
      graceMs: options.retypeGraceMs,
      known: records.flatMap(({ device }) => (device.type === 'vdpa' ? [device.id] : [])),
    });
    this.#cells = cells;
    this.#reading = reading;
    this.#watch = watch;
  }

  /**
   * Reads the host, opens the store, and brings the records in line with what is there.
   *
   * @throws {VdpaError} `DEVICE_SPEC_INVALID`, those of `VdpaHost.inventory`, `VdpaHost.watch`, of a
   *   store's `open` and `commit`
   */
  static async open(host: TrackableHost, options: CheckedTrackingOptions): Promise<TrackedHost> {
    const watch = options.follow ? await host.watch() : null;
    try {
      const reading = new Reading(watch?.inventory ?? (await host.inventory()));
      const { deviceSpec, reportInPlacement, store } = options;
      const spec = DeviceSpec.parse(deviceSpec, { reportInPlacement, pci: reading });
      const cells = await readHostCells(host.root);
      const tracker = await Tracker.open(await openedStore(store), spec);
      try {
        const tracked = new TrackedHost(host, options, { spec, tracker, cells, reading, watch });
        await tracked.#start();
        return tracked;
      } catch (error) {
        await tracker.close();
        throw error;
      }
    } catch (error) {
      await watch?.close();
      throw error;
    }
  }

  get tracker(): Tracker {
    return this.#tracker;
  }

  /**
   * @throws {VdpaError} `DEVICE_NOT_FOUND`, `DEVICE_NOT_SPECIFIED`
   */
  bindingProfile(id: DeviceId): BindingProfile {
    const record = this.#tracker.record(id);
    if (record === null) {
      throw new VdpaError('DEVICE_NOT_FOUND', `nothing is recorded of ${id}`, { retry: 'never' });
    }
    return bindingProfile(record.device, this.#spec);
  }

  /** Of the latest reading, in order of the inventory. */
  unclaimable(): UnclaimableDevice[] {
    const { allowSoftwareDevices } = this.#options;
    const records = this.#tracker.records();
    const held = new Map(records.map(({ device }) => [device.id, device]));
    return this.#reading.inventory.devices.flatMap(({ id, name, reasons: own }) => {
      const device = held.get(id);
      const reasons = device?.reasons ?? [
        ...own.filter((reason) => !(allowSoftwareDevices && reason === 'software-parent')),
        'no-device-spec',
      ];
      return reasons.length === 0 ? [] : [{ id, name, reasons }];
    });
  }

  /**
   * Reads the host again, and resolves when the records are in line with what was read.
   *
   * @throws {VdpaError} those of `VdpaHost.inventory` and `Tracker.sync`
   */
  async refresh(): Promise<void> {
    await this.#inTurn(() => this.#host.inventory());
  }

  /** The host may have changed: what is known of it is reported, soon. */
  update(): void {
    if (this.#due || this.#closing !== null) return;
    this.#due = true;
    const reported = this.#inTurn(async () => {
      this.#due = false;
      return this.#closing === null ? (this.#watch?.inventory ?? this.#reading.inventory) : null;
    });
    reported.catch((error: unknown) => {
      this.#logger?.warn({ err: error }, 'the records are not in line with the host; trying again');
      this.#later(this.#reportTimer, retryMs, () => this.update());
    });
  }

  /** Stops following, and closes the tracker and its store. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #start(): Promise<void> {
    await this.#report(this.#watch?.inventory ?? this.#reading.inventory);
    if (this.#watch !== null) this.#following = this.#follow(this.#watch);
  }

  async #end(): Promise<void> {
    this.#reportTimer.clear();
    this.#followTimer.clear();
    await this.#watch?.close();
    await this.#following;
    await this.#reported;
    await this.#tracker.close();
  }

  async #follow(watch: HostWatch): Promise<void> {
    try {
      for await (const _ of watch) this.update();
    } catch (error) {
      this.#logger?.error({ err: error }, 'the host cannot be followed; trying again');
    }
    if (this.#closing !== null) return;
    // It ended by itself.
    this.#watch = null;
    this.#followLater();
  }

  async #followAnew(): Promise<void> {
    try {
      const watch = await this.#host.watch();
      if (this.#closing !== null) {
        await watch.close();
        return;
      }
      this.#watch = watch;
      this.update();
      await this.#follow(watch);
    } catch (error) {
      this.#logger?.error({ err: error }, 'the host cannot be followed; trying again');
      this.#followLater();
    }
  }

  #followLater(): void {
    this.#later(this.#followTimer, retryMs, () => {
      this.#following = this.#followAnew();
    });
  }

  /** Reads and reports once all that was asked for before has been: no reading overtakes a later one. */
  #inTurn(read: () => Promise<Inventory | null>): Promise<void> {
    const reported = this.#reported.then(async () => {
      const inventory = await read();
      if (inventory !== null) await this.#report(inventory);
    });
    this.#reported = reported.catch(() => {});
    return reported;
  }

  async #report(inventory: Inventory): Promise<void> {
    this.#reading.take(inventory);
    const serials = this.#spec.asksForSerialNumbers ? await this.#serials.of(inventory) : undefined;
    const devices = await inTurns(this.#reportOf(inventory, serials));
    await this.#tracker.sync({ devices, cells: this.#cells });
    const { dueAt } = this.#grace;
    if (dueAt === null) return;
    this.#later(this.#reportTimer, Math.max(1, dueAt - performance.now()), () => this.update());
  }

  *#reportOf(inventory: Inventory, serials: SerialNumbers | undefined): Pausing<ReportedDevice[]> {
    const { allowSoftwareDevices } = this.#options;
    const all = yield* reportedDevices(inventory, { allowSoftwareDevices, serials });
    // While this process is making devices, any VF without one may be about to get it.
    const atWork = new Set(this.#host.isChanging ? all.map(({ id }) => id) : []);
    const settled = yield* this.#grace.hold(all, atWork);
    const admitted: ReportedDevice[] = [];
    yield* eachInTurns(settled, (device) => {
      const one = this.#spec.admitted(device);
      if (one !== null) admitted.push(one);
    });
    return admitted;
  }

  #later(timer: Timer, ms: number, work: () => void): void {
    if (this.#closing === null) timer.set(ms, work);
  }
}

/** Of which the last setting counts. It does not keep the process alive. */
class Timer {
  #timeout: NodeJS.Timeout | undefined;

  set(ms: number, work: () => void): void {
    this.clear();
    this.#timeout = setTimeout(work, ms).unref();
  }

  clear(): void {
    clearTimeout(this.#timeout);
  }
}

async function openedStore(store: string | Store): Promise<Store> {
  if (typeof store !== 'string') return store;
  const { SqliteStore } = await import('../tracker/sqlite-store.js');
  return new SqliteStore(store);
}
