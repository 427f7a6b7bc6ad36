import type { DeviceId } from './host/device-id.js';
import type { HostOptions } from './host/host-options.js';
import { KernelHost, type OpenedHost, openHost } from './host/kernel-host.js';
import type { AttachedClaim, AttachOptions } from './lifecycle/attach-claim.js';
import type { ClaimDesk } from './lifecycle/claim-desk.js';
import type { PlugSelection } from './lifecycle/claimed-interface.js';
import type { DetachOptions } from './lifecycle/detach-claim.js';
import type { GuestPlace } from './lifecycle/guest-place.js';
import type { GuestPlugs } from './lifecycle/guest-plugs.js';
import type { HostFinding } from './lifecycle/host-audit.js';
import type { RecoveredClaim, RecoverOptions } from './lifecycle/recover-claims.js';
import type { TrackedHost, UnclaimableDevice } from './lifecycle/tracked-host.js';
import type { TrackingOptions } from './lifecycle/tracking-options.js';
import type { BindingProfile } from './policy/binding-profile.js';
import type { ClaimArguments, ClaimSelection, ReleaseSelection } from './tracker/arguments.js';
import type { TrackerFinding } from './tracker/audit.js';
import type { Claim, InstanceId } from './tracker/claim.js';
import type { DeviceRecord } from './tracker/device-record.js';
import type { Living } from './tracker/orphans.js';
import type { PoolSummary } from './tracker/pool-summary.js';
import type { Tracker } from './tracker/tracker.js';

/** Devices can be claimed when both `deviceSpec` and `store` are given. */
export interface VdpaHostOptions extends HostOptions, Partial<TrackingOptions> {}

/**
 * One Linux compute host: what its kernel has, and who has which device of it.
 *
 * @example
 * await using host = await VdpaHost.open();
 * const { devices } = await host.inventory();
 */
export class VdpaHost extends KernelHost implements ClaimDesk {
  #tracked: TrackedHost | null = null;
  #plugs: GuestPlugs | null = null;

  private constructor(opened: OpenedHost) {
    super(opened);
  }

  /**
   * Opens the host. Needs no privilege; asks the kernel nothing yet, unless devices are to be claimed:
   * then the store is opened and the host is read and followed.
   *
   * @throws {TypeError} an option that does not exist or has the wrong form, by name
   * @throws {VdpaError} `ADDON_MISSING`, `ROOT_INVALID`, `CAPTURE_INVALID`, `CAPTURE_TOO_NEW`,
   *   `RESOURCE_EXHAUSTED` (no room to unpack a capture); with a store `DEVICE_SPEC_INVALID`,
   *   `STORE_LOCKED` and the others of a store, those of `inventory` and `watch`
   */
  static override async open(options: VdpaHostOptions = {}): Promise<VdpaHost> {
    const { kernel, tracking } = apart(options);
    const parsed =
      tracking === null
        ? null
        : (await import('./lifecycle/parse-tracking-options.js')).parseTrackingOptions(tracking);
    const host = new VdpaHost(await openHost(kernel));
    if (parsed === null) return host;
    try {
      const { TrackedHost } = await import('./lifecycle/tracked-host.js');
      host.#tracked = await TrackedHost.open(host, parsed);
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  /**
   * Records and claims, and their events.
   *
   * @throws {TypeError} when the host was opened without `deviceSpec` and `store`
   */
  get tracker(): Tracker {
    return this.#tracking.tracker;
  }

  /** As `Tracker.claim`. */
  async claim(wanted: ClaimArguments): Promise<Claim> {
    return await this.tracker.claim(wanted);
  }

  /** As `Tracker.allocate`. */
  async allocate(selection: ClaimSelection): Promise<Claim[]> {
    return await this.tracker.allocate(selection);
  }

  /** As `Tracker.release`. */
  async release(selection: ReleaseSelection): Promise<DeviceId[]> {
    return await this.tracker.release(selection);
  }

  /** As `Tracker.supports`. */
  async supports(wanted: Pick<ClaimArguments, 'requests' | 'numaCells'>): Promise<boolean> {
    return this.tracker.supports(wanted);
  }

  /** As `Tracker.pools`. */
  async pools(): Promise<PoolSummary[]> {
    return this.tracker.pools();
  }

  /** As `Tracker.records`. */
  async records(): Promise<DeviceRecord[]> {
    return this.tracker.records();
  }

  /** As `Tracker.claims`. */
  async claims(instance?: InstanceId): Promise<Claim[]> {
    return this.tracker.claims(instance);
  }

  /** As `Tracker.reconcile`. */
  async reconcile(living: Living): Promise<Claim[]> {
    return await this.tracker.reconcile(living);
  }

  /**
   * As `Tracker.audit`; and which devices somebody uses that nobody has claimed.
   *
   * @throws {VdpaError} those of `inventory`
   */
  async audit(living: Living | null = null): Promise<HostFinding[]> {
    const { unclaimedUses } = await import('./lifecycle/host-audit.js');
    const { tracker } = this;
    const uses = await unclaimedUses(await this.inventory(), (id) => tracker.record(id));
    return [...tracker.audit(living), ...uses];
  }

  /** As `Tracker.heal`. */
  async heal(living: Living | null = null): Promise<TrackerFinding[]> {
    return await this.tracker.heal(living);
  }

  /**
   * Gives a guest the vDPA devices of a claim, or what an instance has for one port: all of it or none.
   * What it has already is let be, so that it may be repeated. The claim is allocated once the guest has
   * what was asked for; after a failure everything has been undone, newest first, and the error says what is left.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `CLAIM_NOT_FOUND`, `CLAIM_IN_GUEST`, `MAC_MISMATCH`, `ATTACH_NOT_VERIFIED`,
   *   `NETWORK_BACKEND_FAILED`, `NOT_SUPPORTED`, those of `resolve`, `deviceConfig`, of
   *   `GuestDriver.attach` and of a store's `commit`
   */
  async attach(
    selection: PlugSelection,
    place: GuestPlace,
    options: AttachOptions = {},
  ): Promise<AttachedClaim> {
    return await (await this.#plugging()).attach(selection, place, options);
  }

  /**
   * Takes the same out of its guest again, and gives the devices back unless `release` is false. A guest
   * that does not let go in time keeps its device, and its claim stays.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `CLAIM_NOT_FOUND`, `CLAIM_IN_GUEST` (another has it), `NETWORK_BACKEND_FAILED`,
   *   those of `GuestDriver.detach` and of a store's `commit`
   */
  async detach(
    selection: PlugSelection,
    place: GuestPlace,
    options: DetachOptions = {},
  ): Promise<void> {
    await (await this.#plugging()).detach(selection, place, options);
  }

  /**
   * Resolves when no `attach` and no `detach` of this object is under way in a guest.
   *
   * @param reference the guest, as its `GuestPlace` has it
   * @returns whether one was
   */
  async settled(reference: string): Promise<boolean> {
    return await (await this.#plugging()).settled(reference);
  }

  /**
   * After this process was killed: brings the claims that say of a guest that it may have their devices
   * together with what the guests have. An attach that was broken off is finished or undone.
   *
   * @throws {VdpaError} those of `inventory` and of a store's `commit`
   */
  async recoverGuests(options: RecoverOptions): Promise<RecoveredClaim[]> {
    return await (await this.#plugging()).recover(options);
  }

  /**
   * What is to be written to the neutron port that a device was claimed for.
   *
   * @throws {TypeError} when the host was opened without `deviceSpec` and `store`
   * @throws {VdpaError} `DEVICE_NOT_FOUND`, `DEVICE_NOT_SPECIFIED`
   */
  bindingProfile(device: DeviceId): BindingProfile {
    return this.#tracking.bindingProfile(device);
  }

  /** vDPA devices of the host that nobody can claim, and why, as of the latest reading. */
  async unclaimable(): Promise<UnclaimableDevice[]> {
    return this.#tracking.unclaimable();
  }

  /**
   * Reads the host again, and resolves when records and pools are in line with it. Seldom needed where
   * the host is followed.
   *
   * @throws {VdpaError} those of `inventory` and of a store's `commit`
   */
  async refresh(): Promise<void> {
    await this.#tracking.refresh();
  }

  override async close(): Promise<void> {
    await this.#tracked?.close();
    await super.close();
  }

  protected override changesEnded(): void {
    this.#tracked?.update();
  }

  async #plugging(): Promise<GuestPlugs> {
    const { GuestPlugs } = await import('./lifecycle/guest-plugs.js');
    this.#plugs ??= new GuestPlugs(this);
    return this.#plugs;
  }

  get #tracking(): TrackedHost {
    if (this.#tracked !== null) return this.#tracked;
    throw new TypeError('the host was opened without deviceSpec and store');
  }
}

const trackingKeys: ReadonlySet<string> = new Set<keyof TrackingOptions>([
  'deviceSpec',
  'store',
  'follow',
  'reportInPlacement',
  'allowSoftwareDevices',
  'retypeGraceMs',
  'logger',
]);

/** The options of either side, for its own parser; what is no object at all is the host's to refuse. */
function apart(options: VdpaHostOptions): {
  readonly kernel: HostOptions;
  readonly tracking: object | null;
} {
  if (Object.prototype.toString.call(options) !== '[object Object]') {
    return { kernel: options, tracking: null };
  }
  const entries = Object.entries(options);
  const given = entries.filter(([key, value]) => trackingKeys.has(key) && value !== undefined);
  const others = entries.filter(([key]) => !trackingKeys.has(key));
  return {
    kernel: Object.fromEntries(others),
    tracking: given.length === 0 ? null : Object.fromEntries(given),
  };
}
