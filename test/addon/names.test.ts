import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { inventoryOf } from './support/read.js';

describe('names', () => {
  test('sort naturally, and may have 255 bytes', async () => {
    using tree = new CapturedHost();
    const long = 'x'.repeat(255);
    for (const name of ['vdpa10', 'vdpa2', long]) {
      tree.vdpa(name, '', { managementName: 'vdpasim_net' });
    }

    const { devices } = await inventoryOf(tree);

    expect(devices.map(({ name }) => name)).toEqual(['vdpa2', 'vdpa10', long]);
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(`vdpa/${long}`)).toMatchObject({ name: long });
  });

  test('outside of ASCII are the same text everywhere', async () => {
    using tree = new CapturedHost();
    const name = 'gerät-ñ-設備';
    tree.vdpa(name, '', { managementName: 'vdpasim_net' });
    tree.netlink.config(name, [[5, { u32: 1 }]]);

    const { devices } = await inventoryOf(tree);

    expect(devices).toMatchObject([{ name, id: `vdpa/${name}`, class: 'net' }]);
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(`vdpa/${name}`).name).toBe(name);
    expect((await host.deviceConfig(name)).name).toBe(name);
  });

  test('that are no text at all are shown with replacement characters', async () => {
    using tree = new CapturedHost();
    const name = Buffer.from([0x76, 0xff, 0xfe, 0x30]);
    tree.directory('sys/devices');
    const devices = Buffer.from(join(tree.root, 'sys/devices/'));
    mkdirSync(Buffer.concat([devices, name]));
    symlinkSync(
      Buffer.concat([Buffer.from('../../../devices/'), name]),
      Buffer.concat([Buffer.from(join(tree.root, 'sys/bus/vdpa/devices/')), name]),
    );

    expect((await inventoryOf(tree)).devices).toMatchObject([
      { name: 'v\ufffd\ufffd0', reasons: ['software-parent', 'unmanaged', 'not-bound'] },
    ]);
  });

  test('of devices that look like addresses and auxiliary devices are only names', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 4, numVfs: 2 });
    tree.vdpa('vdpa:0000:65:00.2', tree.pciPath('0000:65:00.1'));
    tree.vdpa('0000:65:00.1', tree.pciPath('0000:65:00.2'));
    tree.vdpa('mlx5_core.sf.9', '', { managementName: 'vdpasim_net' });

    const { devices } = await inventoryOf(tree);

    expect(devices.map(({ name, id }) => [name, id]).sort()).toEqual([
      ['0000:65:00.1', 'pci/0000:65:00.2'],
      ['mlx5_core.sf.9', 'vdpa/mlx5_core.sf.9'],
      ['vdpa:0000:65:00.2', 'pci/0000:65:00.1'],
    ]);
  });

  test.each(['__proto__', 'constructor', 'dump', 'hasOwnProperty'])(
    'such as %s mean nothing special',
    async (name) => {
      using tree = new CapturedHost();
      tree.vdpa(name, '', { managementName: 'vdpasim_net' });

      expect((await inventoryOf(tree)).devices).toMatchObject([{ name, class: 'net' }]);
      await using host = await VdpaHost.open({ root: tree.root });
      expect(host.resolve(`vdpa/${name}`).name).toBe(name);
    },
  );
});
