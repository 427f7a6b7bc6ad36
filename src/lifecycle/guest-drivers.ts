import { basename, dirname } from 'node:path';
import { VdpaError } from '../errors.js';
import type { GuestCallOptions, GuestDriver } from '../guest/guest-driver.js';
import type { GuestEvent } from '../guest/guest-event.js';
import { LibvirtDriver } from '../guest/libvirt-driver.js';
import { MonitorPath } from '../guest/monitor-path.js';
import { QmpDriver } from '../guest/qmp-driver.js';
import type { Logger } from '../logger.js';
import type { InstanceId } from '../tracker/claim.js';
import type { GuestPlace } from './guest-place.js';
import { parseGuestReference, referenceText } from './guest-reference.js';

/** Of the configuration: whose guests are listed, and which libvirt is asked. */
export interface GuestsConfig {
  /** Null: only those that are named are asked. */
  readonly qmp: { readonly monitor: string } | null;
  readonly libvirt: { readonly uri: string } | null;
}

export interface ConfiguredGuests {
  readonly references: readonly string[];
  readonly failed: readonly UnlistedGuests[];
}

/** Guests of which it could not be found out which they are. */
export interface UnlistedGuests {
  /** `libvirt:*` */
  readonly guests: string;
  readonly error: VdpaError;
}

export interface GuestDriversOptions {
  readonly logger?: Logger | undefined;
  /** Told by which reference of what; null: of any. */
  readonly onEvent?: ((guest: string | null, type: GuestEvent['type']) => void) | undefined;
}

/** What drives the guests that people name; each is opened when it is first needed. */
export class GuestDrivers implements AsyncDisposable {
  readonly #config: GuestsConfig;
  readonly #options: GuestDriversOptions;
  /** By what references of their guests begin with: one for each folder of monitors, and one for libvirt. */
  readonly #drivers = new Map<string, GuestDriver>();
  #closed = false;

  constructor(config: GuestsConfig, options: GuestDriversOptions = {}) {
    this.#config = config;
    this.#options = options;
  }

  /** @throws {TypeError} a reference that is none; @throws {VdpaError} `CLOSED` */
  place(text: string): GuestPlace {
    const guest = parseGuestReference(text);
    const reference = referenceText(guest);
    if (guest.kind === 'libvirt') {
      return { driver: this.#libvirt(), guest: guest.domain as InstanceId, reference };
    }
    // A driver for all monitors of a folder: each of them serves one client at a time.
    const folder = dirname(guest.path);
    const before = `${folder === '/' ? '' : folder}/`;
    const driver = this.#driver(
      `qmp:${before}`,
      () => new QmpDriver({ monitor: `${before}{guest}` }),
    );
    return { driver, guest: basename(guest.path) as InstanceId, reference };
  }

  /** References of those that the configuration tells of, in order. */
  async configured(options: GuestCallOptions = {}): Promise<ConfiguredGuests> {
    const { qmp, libvirt } = this.#config;
    const references: string[] = [];
    if (qmp !== null) {
      const monitors = new MonitorPath(qmp.monitor);
      for (const guest of await monitors.candidates()) references.push(`qmp:${monitors.of(guest)}`);
    }
    const failed: UnlistedGuests[] = [];
    if (libvirt !== null) {
      try {
        const guests = await this.#libvirt().guests(options);
        references.push(...guests.map((guest) => `libvirt:${guest}`));
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!(error instanceof VdpaError)) throw error;
        failed.push({ guests: 'libvirt:*', error });
      }
    }
    return { references: references.sort(), failed };
  }

  /** Waits for the calls under way. Guests stay as they are. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#drivers.values()].map((driver) => driver.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #libvirt(): GuestDriver {
    const { logger } = this.#options;
    return this.#driver(
      'libvirt:',
      () => new LibvirtDriver({ ...this.#config.libvirt, ...(logger !== undefined && { logger }) }),
    );
  }

  /** @param before what references of its guests begin with */
  #driver(before: string, make: () => GuestDriver): GuestDriver {
    if (this.#closed) throw new VdpaError('CLOSED', 'the guests are not asked any more');
    let driver = this.#drivers.get(before);
    if (driver === undefined) {
      driver = make();
      this.#drivers.set(before, driver);
      const { onEvent } = this.#options;
      if (onEvent !== undefined) void follow(driver, before, onEvent);
    }
    return driver;
  }
}

/** Until it is closed. */
async function follow(
  driver: GuestDriver,
  before: string,
  onEvent: NonNullable<GuestDriversOptions['onEvent']>,
): Promise<void> {
  for await (const event of driver.events()) {
    onEvent('guest' in event ? `${before}${event.guest}` : null, event.type);
  }
}
