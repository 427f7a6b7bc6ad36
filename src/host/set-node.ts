import { chmod, chown, open } from 'node:fs/promises';
import { VdpaError } from '../errors.js';
import type { KernelHost } from './kernel-host.js';
import type { NodeOwner } from './provision-wishes.js';

/** For chown: leave it. */
const asItIs = -1;
/** O_PATH of fcntl.h, which Node does not name: the file is held, and its driver not asked. */
const holdOnly = 0o10000000;

/**
 * Gives a device's node its owner, group and mode, without opening it. The node goes by a number
 * that the kernel recycles: so the file itself is held, and changed only when the device is still
 * found to have it.
 *
 * @throws {VdpaError} those of `resolve`, `DEVICE_CHANGED`, `PERMISSION_DENIED`
 */
export async function setNode(
  host: Pick<KernelHost, 'resolve'>,
  deviceId: string,
  { uid, gid, mode }: NodeOwner,
): Promise<void> {
  const { path, major, minor } = host.resolve(deviceId).charDevice;
  try {
    await using file = await open(path, holdOnly);
    const status = await file.stat();
    const now = host.resolve(deviceId).charDevice;
    const same = now.path === path && now.major === major && now.minor === minor;
    if (!same || !status.isCharacterDevice() || status.rdev !== deviceNumber(major, minor)) {
      throw new VdpaError(
        'DEVICE_CHANGED',
        `node of ${deviceId}: ${path} has become another device's, or none`,
        { retry: 'later' },
      );
    }
    const held = `/proc/self/fd/${file.fd}`;
    if (uid !== null || gid !== null) await chown(held, uid ?? asItIs, gid ?? asItIs);
    if (mode !== null) await chmod(held, mode);
  } catch (cause) {
    if (cause instanceof VdpaError) throw cause;
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new VdpaError(
      code === 'EPERM' || code === 'EACCES' ? 'PERMISSION_DENIED' : 'DEVICE_CHANGED',
      `node of ${deviceId}: ${message}`,
      { cause, errno: code, step: `chown, chmod ${path}` },
    );
  }
}

/** As stat packs it: 12 bits of major between the low 8 and the high 12 of minor. */
function deviceNumber(major: number, minor: number): number {
  return (minor >> 8) * 2 ** 20 + major * 2 ** 8 + (minor & 0xff);
}
