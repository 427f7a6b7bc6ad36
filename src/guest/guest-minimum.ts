import { VdpaError } from '../errors.js';
import { guestSoftwareMinimum, isAtLeast } from '../host/guest-software-minimum.js';
import type { GuestVersions } from './guest-driver.js';

/** @throws {VdpaError} `NOT_SUPPORTED` when what runs the guest knows no vhost-vdpa */
export function assertRecentEnough({ qemu, libvirt }: GuestVersions): void {
  assertVersion('QEMU', qemu, guestSoftwareMinimum.qemu);
  if (libvirt !== null) assertVersion('libvirt', libvirt, guestSoftwareMinimum.libvirt);
}

function assertVersion(what: string, version: string, needed: string): void {
  if (isAtLeast(version, needed)) return;
  throw new VdpaError(
    'NOT_SUPPORTED',
    `${what} ${version} has no vhost-vdpa: run the guest by ${what} ${needed} or later`,
    { retry: 'after-fix' },
  );
}
