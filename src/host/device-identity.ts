import { statSync } from 'node:fs';

/**
 * Tells a vDPA device of this machine from any other that has had or will have its name: the inode
 * number of its folder, which sysfs gives no other (HostRoot::Identity). Null when it is not there.
 */
export function deviceIdentity(name: string): bigint | null {
  const options = { bigint: true, throwIfNoEntry: false } as const;
  return statSync(`/sys/bus/vdpa/devices/${name}`, options)?.ino ?? null;
}
