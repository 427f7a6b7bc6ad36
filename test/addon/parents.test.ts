import { describe, expect, test } from 'vitest';
import type { VdpaDevice } from '../../src/index.js';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { inventoryOf, only } from './support/read.js';

const pf = '0000:65:00.0';

function hostWithPf(numVfs = 2): CapturedHost {
  const tree = new CapturedHost();
  tree.pf({ address: pf, totalVfs: 8, numVfs, numaNode: 1 });
  return tree;
}

async function deviceOf(tree: CapturedHost): Promise<VdpaDevice> {
  return only((await inventoryOf(tree)).devices);
}

describe('a vDPA device on', () => {
  test('a scalable function is named by its PF and number, and resolves', async () => {
    using tree = hostWithPf();
    tree.scalableFunction(pf, 'mlx5_core.sf.3', '7\n');
    const parent = tree.scalableFunction(pf, 'mlx5_core.sf.4', '88\n');
    tree.vdpa('vdpa0', parent, {
      managementBus: 'auxiliary',
      managementName: 'mlx5_core.sf.4',
    });

    const device = await deviceOf(tree);

    expect(device).toMatchObject({
      id: `pci/${pf}/sf/88`,
      managementDevice: 'auxiliary/mlx5_core.sf.4',
      parent: { kind: 'sf', pciAddress: pf, pfAddress: pf, sfNumber: 88, vfIndex: null },
      reasons: ['scalable-function-parent'],
    });
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(device.id)).toMatchObject({ name: 'vdpa0', charDevice: { minor: 0 } });
    expect(host.resolve(device.id)).toMatchObject({ name: 'vdpa0', charDevice: { minor: 0 } });
  });

  test('a scalable function is named by a PF that has no SR-IOV, too', async () => {
    using tree = new CapturedHost();
    tree.function(pf, { numaNode: 1 });
    const parent = tree.scalableFunction(pf, 'mlx5_core.sf.4', '88\n');
    tree.vdpa('vdpa0', parent, { managementBus: 'auxiliary' });

    const inventory = await inventoryOf(tree);
    const device = only(inventory.devices);

    expect(device).toMatchObject({
      id: `pci/${pf}/sf/88`,
      parent: { kind: 'sf', pfAddress: pf, sfNumber: 88, numaNode: 1 },
    });
    expect(only(inventory.others).address).toBe(pf);
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(device.id).name).toBe('vdpa0');
  });

  test('an auxiliary device of a VF belongs to the VF', async () => {
    using tree = hostWithPf();
    tree.vdpa('vdpa0', `${tree.pciPath('0000:65:00.2')}/pds_core.vDPA.1`, {
      managementName: '0000:65:00.2',
    });

    const device = await deviceOf(tree);

    expect(device).toMatchObject({
      id: 'pci/0000:65:00.2',
      parent: { kind: 'vf', vfIndex: 1, pfAddress: pf },
      usable: true,
    });
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(device.id).name).toBe('vdpa0');
  });

  test('a PF is refused, because it would take the port', async () => {
    using tree = hostWithPf();
    tree.vdpa('vdpa0', tree.pciPath(pf));

    expect(await deviceOf(tree)).toMatchObject({
      id: `pci/${pf}`,
      parent: { kind: 'pf', pciAddress: pf, pfAddress: pf, vfIndex: null },
      usable: false,
      reasons: ['pf-parent'],
    });
  });

  test('a function whose PF is not on this machine is no VF here', async () => {
    using tree = new CapturedHost();
    tree.function('0000:00:05.0', { deviceId: '101e', driver: 'mlx5_core' });
    tree.management('pci', '0000:00:05.0');
    tree.vdpa('vdpa0', tree.pciPath('0000:00:05.0'));

    const inventory = await inventoryOf(tree);

    expect(only(inventory.devices)).toMatchObject({
      id: 'pci/0000:00:05.0',
      parent: { kind: 'pci', pfAddress: null, vfIndex: null },
      reasons: ['not-a-vf'],
    });
    expect(only(inventory.others).address).toBe('0000:00:05.0');
  });

  test('a simulator is software, by the name of its management device', async () => {
    using tree = new CapturedHost();
    tree.management('', 'vdpasim_net');
    tree.vdpa('sim0', '', { managementName: 'vdpasim_net' });

    const inventory = await inventoryOf(tree);

    expect(only(inventory.devices)).toMatchObject({
      id: 'vdpa/sim0',
      managementDevice: 'vdpasim_net',
      parent: { kind: 'simulator', path: '', pciAddress: null },
      reasons: ['software-parent'],
    });
    expect(only(inventory.managementDevices)).toMatchObject({ handle: 'vdpasim_net', bus: null });
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve('vdpa/sim0').name).toBe('sim0');
  });

  test('vduse is software, with the class of its own', async () => {
    using tree = new CapturedHost();
    tree.vdpa('disk0', 'virtual/vduse/disk0', {
      managementBus: '',
      managementName: 'vduse',
      virtioId: 2,
    });

    expect(await deviceOf(tree)).toMatchObject({
      id: 'vdpa/disk0',
      class: 'block',
      parent: { kind: 'vduse', path: 'virtual/vduse/disk0' },
      reasons: ['software-parent', 'not-virtio-net'],
    });
  });

  test('a parent that has two does not say which one an id means', async () => {
    using tree = hostWithPf();
    tree.vdpa('vdpa1', tree.pciPath('0000:65:00.1'));
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
    tree.vdpa('vdpa2', tree.pciPath('0000:65:00.2'));

    const { devices } = await inventoryOf(tree);

    expect(devices.map(({ id, name, reasons }) => [id, name, reasons])).toEqual([
      ['pci/0000:65:00.1', 'vdpa0', ['parent-shared']],
      ['pci/0000:65:00.1', 'vdpa1', ['parent-shared']],
      ['pci/0000:65:00.2', 'vdpa2', []],
    ]);
  });

  test('a VF, which the family does not list, has neither class nor queues', async () => {
    using tree = hostWithPf();
    tree.vdpa('eni0', tree.pciPath('0000:65:00.1'), { managed: false });

    expect(await deviceOf(tree)).toMatchObject({
      id: 'pci/0000:65:00.1',
      class: null,
      vendorId: null,
      maxVqs: null,
      managementDevice: null,
      charDevice: { path: '/dev/vhost-vdpa-0' },
      reasons: ['unmanaged'],
    });
  });
});

describe('a vDPA device that is', () => {
  test.each([
    ['bound to virtio_vdpa', { driver: 'virtio_vdpa' }, 'bound-to-virtio-vdpa', 'virtio_vdpa'],
    ['bound to another driver', { driver: 'my_vdpa' }, 'bound-to-other-driver', 'my_vdpa'],
    ['bound to none', { driver: null }, 'not-bound', null],
    ['without char device yet', { charDevice: false }, 'no-char-device', 'vhost_vdpa'],
  ])('%s has no char device to give', async (_, options, reason, driver) => {
    using tree = hostWithPf();
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'), options);

    expect(await deviceOf(tree)).toMatchObject({
      driver,
      charDevice: null,
      usable: false,
      reasons: [reason],
    });
  });

  test('without a node below /dev says so, and keeps its number', async () => {
    using tree = hostWithPf();
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'), { node: false });

    expect(await deviceOf(tree)).toMatchObject({
      charDevice: { path: '/dev/vhost-vdpa-0', major: 250, minor: 0, nodeExists: false },
      reasons: ['no-node'],
    });
  });

  test('of a class without a name keeps its virtio number', async () => {
    using tree = hostWithPf();
    tree.vdpa('crypto0', tree.pciPath('0000:65:00.1'), { virtioId: 20 });

    expect(await deviceOf(tree)).toMatchObject({
      class: 'virtio-20',
      reasons: ['not-virtio-net'],
    });
  });
});
