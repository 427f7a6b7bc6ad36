import { readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
  return async () => host.close();
});
lab.eachOnBareHost();

describe('devices', () => {
  test('agree with iproute2 field by field', async () => {
    lab.enableVfs(lab.pfA, 4);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`, 'max_vqp', '4');
    lab.addDevice('vdpa1', `pci/${lab.vfOf(lab.pfA, 3)}`);
    lab.addDevice('sim0', 'vdpasim_net');
    lab.addDevice('blk0', 'vdpasim_blk');

    const { devices, managementDevices } = await host.inventory();
    const theirs = lab.vdpaJson('dev', 'show')['dev'] ?? {};
    const ours = Object.fromEntries(
      devices.map((device) => [
        device.name,
        {
          type: device.class === 'net' ? 'network' : device.class,
          mgmtdev: device.managementDevice,
          vendor_id: Number.parseInt(device.vendorId ?? '', 16),
          max_vqs: device.maxVqs,
          max_vq_size: device.maxVqSize,
        },
      ]),
    );
    expect(Object.keys(ours).sort()).toEqual(['blk0', 'sim0', 'vdpa0', 'vdpa1']);
    expect(ours).toEqual(theirs);

    const theirManagement = lab.vdpaJson('mgmtdev', 'show')['mgmtdev'] ?? {};
    expect(
      Object.fromEntries(
        managementDevices.map((device) => [
          device.handle,
          {
            supported_classes: device.classes,
            max_supported_vqs: device.maxVqs,
            dev_features: device.featureNames,
          },
        ]),
      ),
    ).toEqual(theirManagement);
    expect(managementDevices).toHaveLength(6);
  });

  test('agree with sysfs on parent, driver and char device', async () => {
    lab.enableVfs(lab.pfA, 3);
    for (const index of [0, 1, 2]) {
      lab.addDevice(`vdpa${index}`, `pci/${lab.vfOf(lab.pfA, index)}`);
    }
    lab.bind('vdpa0', 'vhost_vdpa');
    lab.bind('vdpa1', 'virtio_vdpa');

    const { devices } = await host.inventory();

    const [held, own, free] = devices;
    const path = `/sys/bus/vdpa/devices/${held?.name}`;
    const minor = held?.charDevice?.minor;
    expect(readlinkSync(path)).toBe(`../../../devices/${held?.parent.path}/vdpa0`);
    expect(readFileSync(`${path}/vhost-vdpa-${minor}/dev`, 'utf8').trim()).toBe(
      `${held?.charDevice?.major}:${minor}`,
    );
    expect(statSync(held?.charDevice?.path ?? '').isCharacterDevice()).toBe(true);
    expect(held).toMatchObject({
      id: `pci/${lab.vfOf(lab.pfA, 0)}`,
      driver: 'vhost_vdpa',
      parent: { kind: 'vf', pfAddress: lab.pfA, vfIndex: 0, numaNode: null },
      usable: true,
      reasons: [],
    });
    expect(own).toMatchObject({
      driver: 'virtio_vdpa',
      charDevice: null,
      reasons: ['bound-to-virtio-vdpa'],
    });
    expect(free).toMatchObject({ driver: null, charDevice: null, reasons: ['not-bound'] });
  });

  test('say why software and block devices can not be given to a guest', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.addDevice('blk0', 'vdpasim_blk');
    lab.bind('sim0', 'vhost_vdpa');

    const { devices } = await host.inventory();

    expect(devices.map(({ id, parent, reasons }) => [id, parent.kind, reasons])).toEqual([
      ['vdpa/blk0', 'simulator', ['software-parent', 'not-virtio-net', 'not-bound']],
      ['vdpa/sim0', 'simulator', ['software-parent']],
    ]);
  });
});

describe('PCI functions', () => {
  test('agree with sysfs, PF by PF and VF by VF', async () => {
    lab.enableVfs(lab.pfA, 16);
    lab.enableVfs(lab.pfB, 1);
    const vf = lab.vfOf(lab.pfA, 9);
    const sysfs = (address: string, file: string): string =>
      readFileSync(`/sys/bus/pci/devices/${address}/${file}`, 'utf8').trim();
    writeFileSync(`/sys/bus/pci/devices/${vf}/driver_override`, 'vfio-pci');
    writeFileSync('/sys/bus/pci/drivers/labnic_vf/unbind', vf);

    const { pfs, vfs, others } = await host.inventory();

    expect(others).toEqual([]);
    expect(pfs.map(({ address, totalVfs, numVfs }) => [address, totalVfs, numVfs])).toEqual([
      [lab.pfA, 16, 16],
      [lab.pfB, 16, 1],
    ]);
    expect(vfs).toHaveLength(17);
    for (const fn of [...pfs, ...vfs]) {
      expect(fn).toMatchObject({
        vendorId: sysfs(fn.address, 'vendor').slice(2),
        deviceId: sysfs(fn.address, 'device').slice(2),
        subsystemVendorId: sysfs(fn.address, 'subsystem_vendor').slice(2),
        subsystemDeviceId: sysfs(fn.address, 'subsystem_device').slice(2),
        pciClass: sysfs(fn.address, 'class').slice(2),
        revision: Number(sysfs(fn.address, 'revision')),
        numaNode: null,
        iommuGroup: null,
      });
    }
    for (const { address, pfAddress, vfIndex } of vfs) {
      expect(readlinkSync(`/sys/bus/pci/devices/${address}/physfn`)).toBe(`../${pfAddress}`);
      expect(readlinkSync(`/sys/bus/pci/devices/${pfAddress}/virtfn${vfIndex}`)).toBe(
        `../${address}`,
      );
    }
    expect(vfs.find(({ address }) => address === vf)).toMatchObject({
      driver: null,
    });
    expect(vfs[0]).toMatchObject({ driver: 'labnic_vf' });
    expect(await host.driverOverride(vf)).toBe('vfio-pci');
    expect(await host.driverOverride(lab.vfOf(lab.pfA, 0))).toBeNull();
    await expect(host.driverOverride('0000:99:00.1')).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
    });
  });

  test('have their interfaces, and each VF its representor', async () => {
    lab.enableVfs(lab.pfA, 5);
    const { pfs, vfs } = await host.inventory();
    const sysfs = (name: string, file: string): string =>
      readFileSync(`/sys/class/net/${name}/${file}`, 'utf8').trim();

    const [uplink, ...rest] = pfs[0]?.netdevs ?? [];
    expect(rest).toEqual([]);
    expect(uplink).toMatchObject({ physPortName: 'p0' });
    expect(vfs).toHaveLength(5);
    for (const { representor, vfIndex } of vfs) {
      expect(representor).toEqual({
        name: representor?.name,
        ifindex: Number(sysfs(representor?.name ?? '', 'ifindex')),
        mac: sysfs(representor?.name ?? '', 'address'),
        physSwitchId: sysfs(representor?.name ?? '', 'phys_switch_id'),
        physPortName: `pf0vf${vfIndex}`,
      });
      expect(representor?.physSwitchId).toBe(uplink?.physSwitchId);
    }
  });

  test('of a VF whose device virtio_vdpa holds include its network interface', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`, 'mac', '02:00:00:00:00:99');
    lab.bind('vdpa0', 'virtio_vdpa');

    const { vfs } = await host.inventory();

    expect(vfs[0]?.netdevs).toMatchObject([{ mac: '02:00:00:00:00:99' }]);
  });
});
