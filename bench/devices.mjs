// @ts-check
import { readdirSync, writeFileSync } from 'node:fs';
import { openNativeHost } from './internals.mjs';

const pciDevices = '/sys/bus/pci/devices';
const timeoutMs = 60_000;

/**
 * Gives the host `count` VFs, evenly over all PFs, with one vDPA device each, bound to vhost_vdpa.
 *
 * @param {number} count a multiple of the number of PFs
 */
export async function createDevices(count) {
  const pfs = readdirSync(pciDevices).filter((address) =>
    readdirSync(`${pciDevices}/${address}`).includes('sriov_numvfs'),
  );
  if (pfs.length === 0 || count % pfs.length !== 0) {
    throw new Error(`${count} VFs do not divide among ${pfs.length} PFs`);
  }
  for (const pf of pfs) {
    writeFileSync(`${pciDevices}/${pf}/sriov_numvfs`, String(count / pfs.length));
  }
  const host = openNativeHost('/');
  try {
    const { managementDevices } = await host.familyLists(timeoutMs);
    const vfs = managementDevices.filter(({ bus }) => bus === 'pci');
    if (vfs.length !== count) throw new Error(`${vfs.length} VFs offer devices, not ${count}`);
    for (const [index, { bus, name }] of vfs.entries()) {
      await host.addDevice(
        {
          name: `vdpa${index}`,
          managementBus: bus,
          managementName: name,
          mac: null,
          mtu: null,
          maxVqPairs: null,
          features: null,
        },
        timeoutMs,
      );
      writeFileSync('/sys/bus/vdpa/drivers/vhost_vdpa/bind', `vdpa${index}`);
    }
  } finally {
    await host.close();
  }
}
