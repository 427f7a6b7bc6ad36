import { VdpaError } from '../errors.js';
import type { Connection } from './connection.js';
import { type DeviceId, type DeviceIdParts, parseDeviceId, type VdpaName } from './device-id.js';
import type { CharDevice } from './vdpa-device.js';

export interface ResolvedCharDevice {
  readonly id: DeviceId;
  /** Name of the vDPA device that stands there now. */
  readonly name: VdpaName;
  readonly charDevice: CharDevice;
}

/** The order of DeviceLocation::Kind in native/core/char_device.h. */
const locationKinds = { pci: 0, sf: 1, vdpa: 2 } as const;
/** The order of CharDeviceState in native/core/char_device.h. */
const states = [
  'ok',
  'no-parent',
  'no-device',
  'not-bound',
  'node-missing',
  'node-mismatch',
  'no-char-device',
  'ambiguous',
] as const;

interface Hint {
  readonly parts: DeviceIdParts;
  readonly location: string;
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/**
 * From a device id to its char device. It remembers each answer only to know where to look first:
 * numbers are recycled, so every answer is verified against sysfs anew.
 */
export class Resolver {
  readonly #connection: Connection;
  readonly #hints = new Map<string, Hint>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  resolve(text: string): ResolvedCharDevice {
    this.#connection.assertOpen();
    const hint = this.#hints.get(text);
    const parts = hint?.parts ?? parseDeviceId(text);
    const location = this.#location(text, parts, hint);
    const row = this.#connection.native.resolve(
      locationKinds[parts.kind],
      location,
      hint?.name ?? '',
      hint?.major ?? 0,
      hint?.minor ?? 0,
    );
    const state = states[row.outcome] ?? 'no-parent';
    if (state !== 'ok' || row.charDeviceName === null) {
      this.#hints.delete(text);
      throw unresolved(text, state, row.vdpaName, row.driver, row.charDeviceName);
    }
    const { vdpaName: name, major, minor } = row;
    if (hint === undefined || hint.name !== name || hint.major !== major || hint.minor !== minor) {
      this.#hints.set(text, { parts, location, name, major, minor });
    }
    return {
      id: text as DeviceId,
      name: name as VdpaName,
      charDevice: { path: `/dev/${row.charDeviceName}`, major, minor, nodeExists: true },
    };
  }

  /** Where the core is to look; of a scalable function its device on the auxiliary bus. */
  #location(id: string, parts: DeviceIdParts, hint: Hint | undefined): string {
    if (parts.kind === 'pci') return parts.pciAddress;
    if (parts.kind === 'vdpa') return parts.name;
    const { native } = this.#connection;
    const isNumbered = (name: string): boolean =>
      native.readText(`sys/bus/auxiliary/devices/${name}/sfnum`) === String(parts.sfNumber);
    if (hint !== undefined && isNumbered(hint.location)) return hint.location;
    for (const name of native.list(`sys/bus/pci/devices/${parts.pfAddress}`) ?? []) {
      if (/\.sf\.\d+$/.test(name) && isNumbered(name)) return name;
    }
    throw new VdpaError('DEVICE_NOT_FOUND', `${id}: the PF has no such scalable function`, {
      retry: 'later',
    });
  }
}

function unresolved(
  id: string,
  state: (typeof states)[number],
  name: string,
  driver: string,
  charDeviceName: string | null,
): VdpaError {
  switch (state) {
    case 'no-parent':
      return new VdpaError('DEVICE_NOT_FOUND', `${id}: nothing is there on this host`, {
        retry: 'later',
      });
    case 'no-device':
      return new VdpaError(
        'DEVICE_NOT_FOUND',
        id.startsWith('vdpa/')
          ? `${id}: no software device has that name`
          : `${id}: it carries no vDPA device: create one (vdpa dev add)`,
      );
    case 'ambiguous':
      return new VdpaError(
        'DEVICE_AMBIGUOUS',
        `${id}: several vDPA devices stand there (${name}), and the id does not say which: delete all but one`,
      );
    case 'no-char-device':
      return new VdpaError(
        'CHAR_DEVICE_MISSING',
        `${id}: ${name} is just being bound to vhost_vdpa and has no char device yet: ask again`,
        { retry: 'later' },
      );
    case 'not-bound':
      return new VdpaError(
        'DEVICE_NOT_BOUND',
        `${id}: vDPA device ${name} is ${driver === '' ? 'bound to no driver' : `bound to ${driver}`}: ` +
          `bind it to vhost_vdpa`,
      );
    case 'node-mismatch':
      return new VdpaError(
        'CHAR_DEVICE_MISMATCH',
        `${id}: /dev/${charDeviceName} is not the char device of ${name}: remove the stale file ` +
          'and let devtmpfs or udev make the node again',
      );
    default:
      return new VdpaError(
        'CHAR_DEVICE_MISSING',
        `${id}: ${name} is bound to vhost_vdpa, but /dev/${charDeviceName} is not there`,
        { retry: 'later' },
      );
  }
}
