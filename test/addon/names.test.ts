import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { genericMessage } from '../support/netlink-bytes.js';
import { inventoryOf } from './support/read.js';

function around(name: Buffer, before: string, after: string): Buffer {
  return Buffer.concat([Buffer.from(before), name, Buffer.from(after)]);
}

function pathInTree(tree: CapturedHost, before: string, name: Buffer, after: string): Buffer {
  return around(name, join(tree.root, before), after);
}

/** A device whose name is bytes, bound to vhost_vdpa. */
function oddDevice(tree: CapturedHost, name: Buffer, virtioId: number, minor: number): void {
  const path = (before: string, after = ''): Buffer => around(name, before, after);
  const inTree = (before: string, after = ''): Buffer => pathInTree(tree, before, name, after);
  const text = (bytes: Buffer) => ({ bytes: Buffer.concat([bytes, Buffer.alloc(1)]) });
  const node = `vhost-vdpa-${minor}`;
  tree.directory('sys/devices');
  mkdirSync(inTree('sys/devices/', `/${node}`), { recursive: true });
  writeFileSync(inTree('sys/devices/', `/${node}/dev`), `250:${minor}\n`);
  symlinkSync('../../bus/vdpa/drivers/vhost_vdpa', inTree('sys/devices/', '/driver'));
  symlinkSync(path('../../../devices/'), inTree('sys/bus/vdpa/devices/'));
  symlinkSync(path('../../devices/', `/${node}`), join(tree.root, `sys/dev/char/250:${minor}`));
  tree.file(`dev/${node}`, '');
  tree.netlink.device(`odd ${minor}`, [
    [2, { text: 'vdpasim_net' }],
    [4, text(name)],
    [5, { u32: virtioId }],
    [6, { u32: 0 }],
    [7, { u32: 3 }],
    [8, { u16: 256 }],
  ]);
  writeFileSync(
    inTree('netlink/config-', '.bin'),
    genericMessage(0x1c, 6, [
      [4, text(name)],
      [5, { u32: virtioId }],
    ]),
  );
}

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
    const name = 'gerät-ñ-設備-🖧';
    tree.vdpa(name, '', { managementName: 'vdpasim_net' });
    tree.netlink.config(name, [[5, { u32: 1 }]]);

    const { devices } = await inventoryOf(tree);

    expect(devices).toMatchObject([{ name, id: `vdpa/${name}`, class: 'net' }]);
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(`vdpa/${name}`).name).toBe(name);
    expect((await host.deviceConfig(name)).name).toBe(name);
  });

  test('that are no text at all are told apart, and found by what they are shown as', async () => {
    using tree = new CapturedHost();
    const odd = Buffer.from([0x76, 0xff]);
    oddDevice(tree, odd, 1, 70);
    oddDevice(tree, Buffer.from([0x76, 0xfe]), 2, 71);
    // What the first looks like, and what both would be with replacement characters.
    tree.vdpa('v\\xff', '', { managementName: 'vdpasim_net', virtioId: 3 });
    tree.vdpa('v\ufffd', '', { managementName: 'vdpasim_net', virtioId: 4 });

    const { devices } = await inventoryOf(tree);

    expect(devices.map((device) => [device.name, device.class]).sort()).toEqual([
      ['v\\x5cxff', 'virtio-3'],
      ['v\\xfe', 'block'],
      ['v\\xff', 'net'],
      ['v\ufffd', 'virtio-4'],
    ]);
    await using host = await VdpaHost.open({ root: tree.root });
    for (const [name, minor] of [
      ['v\\xff', 70],
      ['v\\xfe', 71],
    ]) {
      const found = { id: `vdpa/${name}`, name, charDevice: { minor } };
      expect(host.resolve(`vdpa/${name}`)).toMatchObject(found);
      expect(host.resolve(`vdpa/${name}`)).toMatchObject(found);
    }
    expect(host.resolve('vdpa/v\\x5cxff').name).toBe('v\\x5cxff');
    expect(await host.deviceConfig('v\\xff')).toMatchObject({ name: 'v\\xff', class: 'net' });
    await expect(host.deviceConfig('v\\xfd')).rejects.toThrow('ENODEV');
    expect(() => host.resolve('vdpa/v\udcff')).toThrow(TypeError);
    // An error names it likewise.
    writeFileSync(pathInTree(tree, 'sys/devices/', odd, '/vhost-vdpa-70/dev'), 'no number\n');
    await using another = await VdpaHost.open({ root: tree.root });
    expect(() => another.resolve('vdpa/v\\xff')).toThrow('/v\\xff/vhost-vdpa-70/dev');
  });

  test('in a root that look like bytes are left as they are', async () => {
    using tree = new CapturedHost();
    tree.file('v\\xff/sys/bus/vdpa/drivers_autoprobe', '0\n');
    await using host = await VdpaHost.open({ root: join(tree.root, 'v\\xff') });
    expect((await host.inventory()).devices).toEqual([]);
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
