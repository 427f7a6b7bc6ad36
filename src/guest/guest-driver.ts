import type { InstanceId } from '../tracker/claim.js';
import type { GuestEvent } from './guest-event.js';
import type { GuestInterface, WantedInterface } from './guest-interface.js';
import type { InterfaceName } from './interface-name.js';

export interface GuestCallOptions {
  /** Rejects the call with the signal's reason, once what was begun has been undone. */
  readonly signal?: AbortSignal | undefined;
  /**
   * When the call is to be done, on the clock of `performance.now()`, in milliseconds. After it what
   * was begun is undone, which may take some seconds more. Default: the driver's.
   */
  readonly deadline?: number | undefined;
}

/** What runs a guest. */
export interface GuestVersions {
  /** Numbers and dots: `7.2.19`. */
  readonly qemu: string;
  /** Null where there is none between. */
  readonly libvirt: string | null;
}

/**
 * Into and out of a guest. A driver keeps no records: what is attached is what the hypervisor shows, so
 * it may be stopped at any moment, and the same call by another one goes on from there.
 *
 * Every method rejects with `CLOSED` after `close`, and with `GUEST_NOT_FOUND`, `GUEST_UNREACHABLE`,
 * `GUEST_PROTOCOL` or `GUEST_TIMEOUT` where the hypervisor is not to be had.
 */
export interface GuestDriver extends AsyncDisposable {
  /**
   * Gives a guest the interface; resolves when the hypervisor has it whole. When it is there already,
   * it is left alone; when it is there in part, that is taken away first. A failure undoes all that the
   * call did, in reverse; what then is still there is in the error's `leftovers`.
   *
   * @throws {VdpaError} `DEVICE_BUSY` (the char device is open elsewhere), `DEVICE_NOT_FOUND`,
   *   `INTERFACE_CONFLICT` (that name is attached otherwise), `GUEST_SLOT_MISSING`,
   *   `MEMORY_LOCK_TOO_LOW`, `NOT_SUPPORTED`, `GUEST_REFUSED`, `PERMISSION_DENIED`
   */
  attach(
    guest: InstanceId,
    wanted: WantedInterface,
    options?: GuestCallOptions,
  ): Promise<GuestInterface>;

  /**
   * Takes the interface out of a guest; resolves when the guest has let go and the char device can be
   * opened by others. That it is not there, or the guest is not, is success. The guest is asked again
   * as long as there is time; nothing of the hypervisor's is taken away before it has let go.
   *
   * @throws {VdpaError} `GUEST_KEEPS_DEVICE` (it refused), `GUEST_TIMEOUT` (it did not answer),
   *   `GUEST_REFUSED`, `DEVICE_BUSY` (it let go, but the char device is still open)
   */
  detach(guest: InstanceId, name: InterfaceName, options?: GuestCallOptions): Promise<void>;

  /**
   * The interfaces of a guest whose names are those of `interfaceName`, in order of their names, also
   * when the host's device is gone. Others' are not told.
   */
  interfaces(guest: InstanceId, options?: GuestCallOptions): Promise<GuestInterface[]>;

  /** The guests that there are, in order. */
  guests(options?: GuestCallOptions): Promise<InstanceId[]>;

  /** Every event from now on, of the guests of which anything has been asked. */
  events(): AsyncIterableIterator<GuestEvent, undefined, undefined>;

  versions(guest: InstanceId, options?: GuestCallOptions): Promise<GuestVersions>;

  /** Waits for the calls under way, and lets go of the hypervisor. Guests stay as they are. Idempotent. */
  close(): Promise<void>;
}
