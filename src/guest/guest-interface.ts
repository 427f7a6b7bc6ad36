import type { DeviceId } from '../host/device-id.js';
import type { CharDevice } from '../host/vdpa-device.js';
import type { ClaimId } from '../tracker/claim.js';
import type { InterfaceName } from './interface-name.js';

/** Data queue pairs that an interface may have. */
export const mostQueuePairs = 16384;

/** What a guest is to get. */
export interface WantedInterface {
  /** Of `interfaceName`: who attaches the same again asks by the same name. */
  readonly name: InterfaceName;
  readonly deviceId: DeviceId;
  /** As of now: numbers are recycled, so resolve the device id just before. */
  readonly charDevice: Pick<CharDevice, 'path' | 'major' | 'minor'>;
  /** What the guest sees: lower case, colons. Null: the device's own. */
  readonly mac: string | null;
  /** Data queue pairs, 1 to 16384; more than one makes a multiqueue interface. */
  readonly queuePairs: number;
  /** What the guest is told, 68 to 65535; null: nothing. */
  readonly mtu: number | null;
}

/** An interface that is in a guest, as the hypervisor shows it. */
export interface GuestInterface {
  readonly name: InterfaceName;
  /** Null when the name does not tell: one of a long claim id. */
  readonly claimId: ClaimId | null;
  readonly deviceId: DeviceId | null;
  /** Path of the char device it was attached with, which may belong to another device by now; null when unknown. */
  readonly charDevice: string | null;
  /** Lower case, colons; null when it is not known, as of an interface that is not whole. */
  readonly mac: string | null;
  /** Null when it is not known. */
  readonly queuePairs: number | null;
  /** What the guest was told; null: nothing, or not known. */
  readonly mtu: number | null;
  /**
   * - `attached`: the guest has it, or is being told of it
   * - `partial`: the hypervisor has some of it and the guest has no device: an attach or detach that
   *   was broken off. Attaching or detaching again sets it right.
   */
  readonly state: 'attached' | 'partial';
}

/** By what an interface is looked for; all that is given must fit. */
export interface InterfaceSelection {
  readonly name?: InterfaceName | undefined;
  readonly claimId?: ClaimId | undefined;
  readonly deviceId?: DeviceId | undefined;
  /** In any case. */
  readonly mac?: string | undefined;
}

/** Those that fit; needs nothing of the host, whose device may be gone. */
export function selectInterfaces(
  interfaces: readonly GuestInterface[],
  { name, claimId, deviceId, mac }: InterfaceSelection,
): GuestInterface[] {
  return interfaces.filter(
    (one) =>
      (name === undefined || one.name === name) &&
      (claimId === undefined || one.claimId === claimId) &&
      (deviceId === undefined || one.deviceId === deviceId) &&
      (mac === undefined || one.mac === mac.toLowerCase()),
  );
}
