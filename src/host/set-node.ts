import { chmod, lchown } from 'node:fs/promises';
import { VdpaError } from '../errors.js';
import type { VdpaHost } from '../vdpa-host.js';
import type { NodeOwner } from './provision-wishes.js';

/** For lchown: leave it. */
const asItIs = -1;

/**
 * Gives a device's node its owner, group and mode, without opening it. The node goes by a number
 * that the kernel recycles, so it is looked up again afterwards.
 *
 * @throws {VdpaError} those of `resolve`, `DEVICE_CHANGED`, `PERMISSION_DENIED`
 */
export async function setNode(
  host: Pick<VdpaHost, 'resolve'>,
  deviceId: string,
  { uid, gid, mode }: NodeOwner,
): Promise<void> {
  const { path, major, minor } = host.resolve(deviceId).charDevice;
  try {
    if (uid !== null || gid !== null) await lchown(path, uid ?? asItIs, gid ?? asItIs);
    if (mode !== null) await chmod(path, mode);
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new VdpaError(
      code === 'EPERM' || code === 'EACCES' ? 'PERMISSION_DENIED' : 'DEVICE_CHANGED',
      `node of ${deviceId}: ${message}`,
      { cause, errno: code, step: `chown, chmod ${path}` },
    );
  }
  const now = host.resolve(deviceId).charDevice;
  if (now.path === path && now.major === major && now.minor === minor) return;
  throw new VdpaError(
    'DEVICE_CHANGED',
    `node of ${deviceId}: it moved from ${path} to ${now.path}`,
    {
      retry: 'later',
    },
  );
}
