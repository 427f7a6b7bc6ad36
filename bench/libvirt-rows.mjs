// @ts-check
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LibvirtDaemon } from '../lab/libvirt/daemon.mjs';
import { interfaceName, LibvirtDriver, VdpaHost } from './library.mjs';
import { openable } from './qmp-by-hand.mjs';
import { timesRow } from './row.mjs';
import { alternate, timed } from './statistics.mjs';
import { Virsh } from './virsh.mjs';

/** @import { DeviceId, InstanceId, ClaimId } from '../src/index.js' */

const rounds = 15;
const guest = 'bench';
const mac = '02:00:00:00:be:ef';

/**
 * What going into a guest of libvirt's and out of it costs, as it runs and as it starts the next time.
 *
 * @param {string} device its id
 */
export async function libvirtRows(device) {
  const deviceId = /** @type {DeviceId} */ (device);
  const instance = /** @type {InstanceId} */ (guest);
  const folder = mkdtempSync(join(tmpdir(), 'libvirt-rows-'));
  const libvirt = await LibvirtDaemon.start('release');
  libvirt.ensureDomain(guest);
  const host = await VdpaHost.open();
  const driver = new LibvirtDriver();
  const virsh = new Virsh(libvirt);
  try {
    const { charDevice } = host.resolve(deviceId);
    const name = interfaceName(/** @type {ClaimId} */ ('bench'), deviceId);
    const xml = join(folder, 'interface.xml');
    writeFileSync(
      xml,
      `<interface type='vdpa'><mac address='${mac}'/><source dev='${charDevice.path}'/></interface>`,
    );
    const ours = async () => {
      await driver.attach(instance, { name, deviceId, charDevice, mac, queuePairs: 1, mtu: null });
      await driver.detach(instance, name);
    };
    const theirs = async () => {
      await virsh.run(`attach-device ${guest} ${xml} --live --config`, /attached successfully/);
      await virsh.run(`detach-device ${guest} ${xml} --live --config`, /detached successfully/);
      await openable(charDevice.path);
    };
    await ours(); // from now on it is connected
    const both = await alternate(
      rounds,
      () => timed(ours),
      () => timed(theirs),
    );
    return [
      timesRow('attach and detach over libvirt / virsh attach-device, detach-device', 1, both),
    ];
  } finally {
    await virsh.close();
    await driver.close();
    await host.close();
    await libvirt.close();
    rmSync(folder, { recursive: true });
  }
}
