import type { PciAddress } from '../host/pci-address.js';
import type { RequestId } from '../policy/device-request.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import type { ClaimId, InstanceId } from './claim.js';

/**
 * - `available`: to be had, as far as its family lets it
 * - `claimed`: taken for an instance that does not have it yet
 * - `allocated`: the instance has it
 * - `unclaimable`: its PF, or a VF of it, is claimed
 * - `unavailable`: its PF, or a VF of it, is allocated
 */
export type DeviceStatus = 'available' | 'claimed' | 'allocated' | 'unclaimable' | 'unavailable';

/** What the tracker knows of one device. A record is never changed: another takes its place. */
export interface DeviceRecord {
  /** As the host had it when it was last free: what a holder was given is not changed under it. */
  readonly device: ReportedDevice;
  /**
   * The PF with whose devices it is pooled: the one above it when it became what it is. A report that
   * names another PF for it leaves it there as long as its type stays.
   */
  readonly home: PciAddress | null;
  readonly status: DeviceStatus;
  /** Who has it; null unless it is claimed or allocated. */
  readonly claimId: ClaimId | null;
  readonly instance: InstanceId | null;
  readonly requestId: RequestId | null;
  /** How the host has it now, when that is different: comes into force when it is freed. */
  readonly pending: ReportedDevice | null;
  /** Whether the host no longer has it. It goes when it is freed, or is back when the host has it again. */
  readonly vanished: boolean;
  /** Place in the order of releases, from 1; 0 when it was never released. */
  readonly released: number;
}
