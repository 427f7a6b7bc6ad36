import type { PciAddress } from '../host/pci-address.js';
import { type AddressPattern, packAddress } from './address-pattern.js';
import { capabilitiesOf } from './capabilities.js';
import type { PciFacts } from './pci-facts.js';
import type { ReportedDevice } from './reported-device.js';

/** Tags by name; values are text, or null for one that is explicitly none. */
export type Tags = Readonly<Record<string, string | null>>;

/** What an entry says of the devices that it matches, for `ReportedDevice.extra`. */
export interface EnhancedExtra {
  readonly managed?: 'true' | 'false';
  readonly live_migratable?: 'true' | 'false';
}

/** One entry of device_spec. */
export interface DeviceSpecEntry {
  /** Place among the entries, lists within the list taken apart; from 0. */
  readonly index: number;
  /** Four lower-case hexadecimal digits, or `*`. */
  readonly vendorId: string;
  readonly productId: string;
  /** A network interface's name; null unless it is matched by that. */
  readonly devname: string | null;
  /** Null when it is matched by `devname`. */
  readonly address: AddressPattern | null;
  readonly remoteManaged: boolean;
  /** Everything else, `physical_network` and `trusted` included. */
  readonly tags: Tags;
  readonly enhanced: EnhancedExtra;
}

/** A device and its addresses as numbers (`packAddress`). */
export interface Candidate {
  readonly device: ReportedDevice;
  readonly own: number | null;
  readonly parent: number | null;
}

/** Whether an entry is about a device. */
export function entryMatches(
  entry: DeviceSpecEntry,
  { device, own, parent }: Candidate,
  pci: PciFacts,
): boolean {
  return (
    (entry.vendorId === '*' || entry.vendorId === device.vendorId) &&
    (entry.productId === '*' || entry.productId === device.productId) &&
    placeMatches(entry, device, own, parent, pci) &&
    // A remote end knows a device by its card's serial number.
    (!entry.remoteManaged || Boolean(capabilitiesOf(device).vpd?.card_serial_number))
  );
}

function placeMatches(
  { devname, address }: DeviceSpecEntry,
  device: ReportedDevice,
  own: number | null,
  parent: number | null,
  pci: PciFacts,
): boolean {
  if (address === null) {
    const named = devname === null ? null : pci.functionOfNetdev(devname);
    return named !== null && singleMatches(named, packAddress(named), own, parent, pci);
  }
  if (own !== null && address.matches(own)) return true;
  if (address.single === null) return address.any && device.address === null;
  return parent !== null && address.matches(parent) && isPf(address.single, pci);
}

/** Whether a device is the function, or a VF of it when it is a PF. */
function singleMatches(
  address: PciAddress,
  packed: number | null,
  own: number | null,
  parent: number | null,
  pci: PciFacts,
): boolean {
  if (packed === null) return false;
  return own === packed || (parent === packed && isPf(address, pci));
}

function isPf(address: PciAddress, pci: PciFacts): boolean {
  return pci.physicalFunction(address) !== null;
}
