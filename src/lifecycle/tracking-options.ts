import type { Logger } from '../logger.js';
import type { Store } from '../tracker/store.js';

/** What a host is opened with so that devices can be claimed. */
export interface TrackingOptions {
  /**
   * Which devices may be used, as nova's `[pci] device_spec`: an object, a list of objects, or such as
   * JSON text. docs/policy.md.
   */
  readonly deviceSpec: unknown;
  /** Path of the file in which records and claims are durable, or a store. docs/store.md. */
  readonly store: string | Store;
  /**
   * Keep up with the host, so that a device is to be had as soon as it is there. Without it, the host
   * is read once, and then by `refresh`. Default true.
   */
  readonly follow?: boolean | undefined;
  /** Whether devices are reported to placement as well: `one_time_use` needs it. Default false. */
  readonly reportInPlacement?: boolean | undefined;
  /**
   * Admit simulators and other vDPA devices of software, which no guest gains by: for tests and labs.
   * Default false.
   */
  readonly allowSoftwareDevices?: boolean | undefined;
  /**
   * How long a VF is held back that has lost its last vDPA device, in milliseconds: one that is being
   * made anew is not given away as a plain VF. Default 10,000.
   */
  readonly retypeGraceMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

export const defaultTrackingOptions = {
  follow: true,
  reportInPlacement: false,
  allowSoftwareDevices: false,
  retypeGraceMs: 10_000,
} as const;
