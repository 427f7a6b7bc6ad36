import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { LibvirtDaemon } from '../../lab/libvirt/daemon.mjs';
import { until } from './lab-host.js';

/** Char devices of vhost_vdpa that a guest's QEMU has open. */
export function openDevices(libvirt: LibvirtDaemon, guest: string): string[] {
  const folder = `/proc/${libvirt.pidOf(guest)}/fd`;
  const open = readdirSync(folder)
    .map((fd) => {
      try {
        return readlinkSync(join(folder, fd));
      } catch {
        return ''; // closed meanwhile
      }
    })
    .filter((path) => path.includes('vhost-vdpa'));
  return [...new Set(open)]; // QEMU has one twice
}

/** What a guest has of vDPA: interfaces as it runs and as it starts, fdsets, char devices. */
export function things(libvirt: LibvirtDaemon, guest: string): string[] {
  const found = (xml: string): string[] => xml.match(/ua-vdpa-[\w-]+/g) ?? [];
  const fdsets = libvirt.virsh('qemu-monitor-command', guest, '{"execute":"query-fdsets"}');
  return [
    ...found(libvirt.virsh('dumpxml', guest)),
    ...found(libvirt.virsh('dumpxml', '--inactive', guest)),
    ...found(fdsets),
    ...openDevices(libvirt, guest),
  ];
}

/** Ends every guest that has a device of vhost_vdpa. */
export async function endHolders(libvirt: LibvirtDaemon): Promise<void> {
  const folder = '/run/libvirt/qemu';
  for (const file of readdirSync(folder).filter((it) => it.endsWith('.pid'))) {
    const guest = file.replace('.pid', '');
    if (openDevices(libvirt, guest).length === 0) continue;
    process.kill(libvirt.pidOf(guest), 'SIGKILL');
    await until(() => !existsSync(join(folder, file)));
  }
}
