import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { readEverything } from '../support/reading.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A host with one of everything, also of what is wrong. */
function richHost(): CapturedHost {
  const tree = new CapturedHost();
  tree.pf({
    address: '0000:65:00.0',
    totalVfs: 8,
    numVfs: 5,
    numaNode: 1,
    iommuGroup: 40,
    netdev: 'enp101s0np0',
    representors: true,
  });
  tree.pf({ address: '0000:b3:00.0', totalVfs: 4, numVfs: 2, stride: 2 });
  tree.function('0000:07:00.0', { driver: null });
  const at = (address: string) => tree.pciPath(address);
  tree.vdpa('vdpa0', at('0000:65:00.1'));
  tree.vdpa('vdpa1', at('0000:65:00.2'), { driver: 'virtio_vdpa' });
  tree.vdpa('vdpa2', at('0000:65:00.3'), { driver: null });
  tree.vdpa('vdpa3', at('0000:65:00.4'), { node: false });
  tree.vdpa('vdpa4', at('0000:65:00.5'), { managed: false });
  tree.vdpa('blk0', '', { managementName: 'vdpasim_blk', virtioId: 2 });
  tree.vdpa('dump', '', { managementName: 'vdpasim_net', charDevice: false });
  tree.vdpa('x'.repeat(255), '', { managementName: 'vdpasim_net' });
  tree.vdpa('gerät-設備', '', { managementName: 'vdpasim_net' });
  tree.vdpa('passed', at('0000:07:00.0'), { managementName: '0000:07:00.0' });
  tree.vdpa('sf0', tree.scalableFunction('0000:65:00.0', 'mlx5_core.sf.4', '88\n'), {
    managementBus: 'auxiliary',
    managementName: 'mlx5_core.sf.4',
  });
  tree.netlink.config('vdpa0', [[5, { u32: 1 }]]);
  tree.netlink.config('x'.repeat(100), [[5, { u32: 1 }]]);
  tree.netlink.refuse('config-vdpa1', 95, 'no such thing here');
  tree.file(`sys/devices/${at('0000:65:00.2')}/driver_override`, 'vfio-pci\n');
  tree.remove(`sys/devices/${at('0000:b3:00.3')}/driver`);
  tree.remove('sys/bus/pci/drivers/labnic_vf/0000:b3:00.3');
  tree.file(`sys/devices/${at('0000:b3:00.0')}/sriov_drivers_autoprobe`, '0\n');
  return tree;
}

describe('a capture', () => {
  test('answers everything as the host it was made of', async () => {
    using tree = richHost();
    await using host = await VdpaHost.open({ root: tree.root });
    const original = await readEverything(host);
    const file = join(folder, 'host.tar.gz');

    const capture = await host.capture(file);

    expect(capture).toEqual({
      file,
      bytes: statSync(file).size,
      consistent: true,
      devices: 11,
      pciFunctions: 10,
      managementDevices: 8,
      unanswered: [],
      withheld: [],
    });
    console.error('captured');
    await using replay = await VdpaHost.open({ root: file });

    expect(await readEverything(replay)).toEqual(original);
  });
});
