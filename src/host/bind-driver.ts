import { VdpaError } from '../errors.js';
import { Change, unlessAborted } from './change.js';
import type { ChangeOptions, Connection } from './connection.js';
import type { VdpaName } from './device-id.js';
import { runHelper } from './helper.js';
import type { CharDevice } from './vdpa-device.js';

/** A device as it stands after it was bound, or unbound. */
export interface BoundDevice {
  readonly name: VdpaName;
  /** Null when it is bound to none. */
  readonly driver: string | null;
  /** Of vhost_vdpa only. */
  readonly charDevice: CharDevice | null;
}

/** By NodeState of native/core/records.h; null when all is well. */
const nodeFaults = ['CHAR_DEVICE_MISSING', 'CHAR_DEVICE_MISMATCH', null] as const;

/** Takes a device from its driver, unless somebody uses it there, and gives it to another. */
export async function bindDriver(
  connection: Connection,
  name: VdpaName,
  driver: string | null,
  force: boolean,
  options: ChangeOptions | undefined,
): Promise<BoundDevice> {
  if (driver !== null && !/^\w[\w-]*$/.test(driver)) {
    throw new TypeError(
      `${JSON.stringify(driver)} is no driver: expected vhost_vdpa, virtio_vdpa or null`,
    );
  }
  const { signal, left: timeoutMs } = new Change(connection, options);
  const what = driver === null ? `unbind ${name}` : `bind ${name} to ${driver}`;
  if (driver !== null && !connection.native.exists(`sys/bus/vdpa/drivers/${driver}`)) {
    throw new VdpaError(
      'DRIVER_MISSING',
      `${what}: there is no such driver: load it (modprobe ${driver})`,
    );
  }
  const { binding } = await unlessAborted(
    () => runHelper({ what, verb: 'bind', force, words: [name, driver ?? ''], timeoutMs }),
    signal,
  );
  const bound = binding?.driver ?? '';
  if (bound !== (driver ?? '')) {
    throw new VdpaError(
      'DEVICE_CHANGED',
      `${what}: somebody else is changing it at the same time`,
      {
        outcome: 'unknown',
        retry: 'later',
      },
    );
  }
  const charDevice =
    binding === undefined || binding.nodeName === ''
      ? null
      : {
          path: `/dev/${binding.nodeName}`,
          major: binding.major,
          minor: binding.minor,
          nodeExists: true,
        };
  const fault =
    bound === 'vhost_vdpa' ? nodeFaults[charDevice === null ? 0 : (binding?.nodeState ?? 0)] : null;
  if (fault) {
    throw new VdpaError(
      fault,
      `${what}: it is bound, but ${charDevice?.path ?? 'its char device'} is not there or is another device`,
      { outcome: 'partial', leftovers: [`${name} is bound to ${driver}`], retry: 'after-fix' },
    );
  }
  return { name, driver: bound === '' ? null : bound, charDevice };
}
