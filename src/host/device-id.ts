import { isPciAddress, type PciAddress } from './pci-address.js';

declare const brand: unique symbol;

/** The kernel's u32. */
const maxSfNumber = 0xffff_ffff;
/** A name is a directory's in sysfs. */
const maxNameBytes = 255;

/**
 * What names a vDPA device for good: its parent's bus handle, as devlink and `vdpa` write it. It
 * survives deleting and creating the device anew, which may change its name and its char device.
 *
 * - `pci/0000:65:00.2`: the device of a VF, or of another PCI function
 * - `pci/0000:65:00.0/sf/88`: the device of scalable function 88 of that PF
 * - `vdpa/sim0`: a device of software, which has no parent that could name it
 */
export type DeviceId = string & { readonly [brand]: 'DeviceId' };

/**
 * A vDPA device's name on its bus: `vdpa0`. Given at creation; not an identity. The kernel takes any
 * bytes: each that is not part of UTF-8 is written as `\xff`, here and wherever names are, so that no
 * two devices share a name and each can be asked for by the name it is shown with.
 */
export type VdpaName = string & { readonly [brand]: 'VdpaName' };

export type DeviceIdParts =
  | { readonly kind: 'pci'; readonly pciAddress: PciAddress }
  | { readonly kind: 'sf'; readonly pfAddress: PciAddress; readonly sfNumber: number }
  | { readonly kind: 'vdpa'; readonly name: VdpaName };

export function pciDeviceId(address: PciAddress): DeviceId {
  return `pci/${address}` as DeviceId;
}

export function scalableFunctionDeviceId(pf: PciAddress, sfNumber: number): DeviceId {
  return `pci/${pf}/sf/${sfNumber}` as DeviceId;
}

export function softwareDeviceId(name: string): DeviceId {
  return `vdpa/${name}` as DeviceId;
}

/**
 * Takes a device id apart.
 *
 * @throws {TypeError} when the text has none of the three forms
 */
export function parseDeviceId(text: string): DeviceIdParts {
  const [, address, sf] = /^pci\/([^/]+)(?:\/sf\/(0|[1-9]\d{0,9}))?$/.exec(text) ?? [];
  if (address !== undefined && isPciAddress(address)) {
    if (sf === undefined) return { kind: 'pci', pciAddress: address };
    if (Number(sf) <= maxSfNumber) {
      return { kind: 'sf', pfAddress: address, sfNumber: Number(sf) };
    }
  }
  const name = text.startsWith('vdpa/') ? text.slice('vdpa/'.length) : '';
  if (isVdpaName(name)) return { kind: 'vdpa', name };
  throw new TypeError(
    `${JSON.stringify(text)} is no device id: expected pci/0000:65:00.2, pci/0000:65:00.0/sf/88 or vdpa/NAME`,
  );
}

/** How native/core/name_text.h writes one byte that would otherwise be ambiguous or no text. */
const escapedByte = /\\x(?:5c|[89a-f][0-9a-f])/g;

/**
 * Whether a vDPA device can have this name: that of a directory in sysfs, 255 bytes at most. Half a
 * surrogate pair stands for no bytes: it would be taken for another name.
 */
export function isVdpaName(text: unknown): text is VdpaName {
  return (
    typeof text === 'string' &&
    /^[^/\0\p{Cs}]+$/u.test(text) &&
    text !== '.' &&
    text !== '..' &&
    Buffer.byteLength(text.replace(escapedByte, '?')) <= maxNameBytes
  );
}

/** @throws {TypeError} */
export function assertVdpaName(text: unknown): asserts text is VdpaName {
  if (isVdpaName(text)) return;
  throw new TypeError(`${JSON.stringify(text)} is no name of a vDPA device`);
}
