import { type DeviceId, parseDeviceId } from '../host/device-id.js';
import type { ClaimId } from '../tracker/claim.js';

declare const brand: unique symbol;

/**
 * What an interface is called inside a hypervisor: as QMP id of device and netdev, at the beginning of
 * the fdset's opaque text, and behind `ua-` as libvirt's alias. `vdpa-CLAIM_pDEVICE`, of letters, digits,
 * `-` and `_` alone, at most 128 of them.
 */
export type InterfaceName = string & { readonly [brand]: 'InterfaceName' };

/** What a name tells of the interface. */
export interface NamedInterface {
  readonly claimId: ClaimId;
  readonly deviceId: DeviceId;
}

const prefix = 'vdpa-';
const longest = 128;
/** In front of what stands for a name that would be too long. */
const digestMark = 'h';

/**
 * The name of a claim's device in a guest: always the same, and no two of them share one. A restarted
 * agent recognises by it what it had begun.
 *
 * @throws {TypeError} when the device id is none, or the claim's is empty
 */
export function interfaceName(claimId: ClaimId, deviceId: DeviceId): InterfaceName {
  if (claimId === '') throw new TypeError('a claim id is not empty');
  const name = `${prefix}${escaped(claimId)}_${deviceCode(deviceId)}`;
  return (
    name.length <= longest ? name : `${prefix}_${digestMark}${digest(name)}`
  ) as InterfaceName;
}

/** Whether it has the form of a name made here: others belong to somebody else. */
export function isInterfaceName(text: unknown): text is InterfaceName {
  return (
    typeof text === 'string' &&
    text.length <= longest &&
    (namedInterface(text) !== null || /^vdpa-_h[0-9a-f]{64}$/.test(text))
  );
}

/** Claim and device of a name; null for one that is none, or so long that it had to be a digest. */
export function namedInterface(name: string): NamedInterface | null {
  // Escapes are `_` and two hexadecimal digits: any other letter behind a `_` begins the device.
  const [, claim, kind, device] =
    /^vdpa-((?:[A-Za-z0-9-]|_[0-9a-f]{2})+)_([psv])(.+)$/.exec(name) ?? [];
  if (claim === undefined || device === undefined) return null;
  const claimId = unescaped(claim);
  const deviceId = kind === 'v' ? softwareId(device) : pciId(kind === 's', device);
  if (claimId === null || deviceId === null) return null;
  const named = { claimId: claimId as ClaimId, deviceId };
  // One spelling for each: whatever else would be read the same way is no name.
  return interfaceName(named.claimId, named.deviceId) === name ? named : null;
}

function deviceCode(deviceId: DeviceId): string {
  const parts = parseDeviceId(deviceId);
  switch (parts.kind) {
    case 'pci':
      return `p${dashed(parts.pciAddress)}`;
    case 'sf':
      return `s${dashed(parts.pfAddress)}-${parts.sfNumber}`;
    case 'vdpa':
      return `v${escaped(parts.name)}`;
  }
}

const dashed = (address: string): string => address.replaceAll(/[:.]/g, '-');

function pciId(scalable: boolean, code: string): DeviceId | null {
  const [, domain, bus, slot, pciFunction, sf] =
    /^([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)-([0-7])(?:-(\d+))?$/.exec(code) ?? [];
  if (domain === undefined || scalable !== (sf !== undefined)) return null;
  const pci = `pci/${domain}:${bus}:${slot}.${pciFunction}`;
  return checkedId(scalable ? `${pci}/sf/${sf}` : pci);
}

function softwareId(code: string): DeviceId | null {
  const name = unescaped(code);
  return name === null ? null : checkedId(`vdpa/${name}`);
}

function checkedId(text: string): DeviceId | null {
  try {
    parseDeviceId(text);
    return text as DeviceId;
  } catch {
    return null;
  }
}

/** Each byte that is no letter, digit or `-` as `_` and two hexadecimal digits. */
function escaped(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9-]/gu, (character) =>
    [...bytesOf(character)].map((byte) => `_${byte.toString(16).padStart(2, '0')}`).join(''),
  );
}

/** Half a surrogate pair stands for no bytes; as three bytes that no text has, it is told apart. */
function bytesOf(character: string): Uint8Array {
  const code = character.charCodeAt(0);
  if (character.length > 1 || code < 0xd800 || code > 0xdfff) return Buffer.from(character);
  return Uint8Array.of(0xed, 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
}

function unescaped(code: string): string | null {
  const bytes = code.replaceAll(/_([0-9a-f]{2})/g, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(bytes, 'latin1'),
    );
  } catch {
    return null;
  }
}

function digest(text: string): string {
  // Loaded when the first one is needed: it takes as long as all the rest of the library.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(text).digest('hex');
}
