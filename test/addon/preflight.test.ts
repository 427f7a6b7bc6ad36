import { describe, expect, test } from 'vitest';
import { type Finding, type FindingCode, VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';

function soundHost(): CapturedHost {
  const tree = new CapturedHost();
  tree.pf({ address: '0000:65:00.0', totalVfs: 4, numVfs: 2, iommuGroup: 7, representors: true });
  tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
  return tree;
}

async function findings(tree: CapturedHost): Promise<readonly Finding[]> {
  await using host = await VdpaHost.open({ root: tree.root });
  return await host.preflight();
}

async function finding(tree: CapturedHost, code: FindingCode): Promise<Finding | undefined> {
  return (await findings(tree)).find((candidate) => candidate.code === code);
}

describe('preflight', () => {
  test('finds a sound host to be in order, with nothing to cure', async () => {
    using tree = soundHost();

    expect(await findings(tree)).toEqual(
      [
        ['kernel-version', 'Linux 6.12.0-test'],
        ['vdpa-module', 'the vdpa bus exists'],
        ['vdpa-family', 'the netlink family vdpa answers'],
        ['vhost-vdpa-module', 'the driver vhost_vdpa is there'],
        ['driver-contest', 'new devices are bound by name only (drivers_autoprobe is 0)'],
        ['iommu', 'every VF with a vDPA device is in an IOMMU group'],
        ['vf-autoprobe', 'no PF keeps its VFs from their driver'],
        ['switchdev-order', 'no VF has a network device while its PF is in legacy mode'],
        ['char-device-nodes', 'every char device has its node'],
        ['devices', '1 vDPA device, 1 usable'],
      ].map(([code, message]) => ({ code, severity: 'ok', message, cure: null })),
    );
  });

  test.each([
    ['5.6.19', 'error'],
    ['4.18.0-553.el8', 'error'],
    ['5.7.0', 'ok'],
    ['5.10.0-9-amd64', 'ok'],
    ['10.0', 'ok'],
    ['', 'warning'],
    ['unknown', 'warning'],
  ])('judges the kernel version "%s" as %s', async (release, severity) => {
    using tree = soundHost();
    tree.file('proc/sys/kernel/osrelease', `${release}\n`);

    expect(await finding(tree, 'kernel-version')).toMatchObject({
      severity,
      cure: severity === 'ok' ? null : expect.stringContaining('5.7'),
    });
  });

  test('does not know the version of a capture without it', async () => {
    using tree = soundHost();
    tree.remove('proc');

    const all = await findings(tree);

    expect(all.filter(({ severity }) => severity === 'warning').map(({ code }) => code)).toEqual([
      'kernel-version',
    ]);
  });

  test('misses the module, and with it everything that it brings', async () => {
    using tree = new CapturedHost();
    tree.remove('sys/bus/vdpa');

    const problems = (await findings(tree)).filter(({ severity }) => severity !== 'ok');

    expect(problems.map(({ code, severity, cure }) => [code, severity, cure])).toEqual([
      ['vdpa-module', 'error', 'modprobe vdpa'],
      ['vdpa-family', 'error', 'modprobe vdpa'],
      ['vhost-vdpa-module', 'error', 'modprobe vhost_vdpa'],
      ['devices', 'warning', 'vdpa dev add name NAME mgmtdev MGMTDEV'],
    ]);
  });

  test('tells a network namespace of its own from a missing module', async () => {
    using tree = soundHost();
    tree.remove('netlink/getfamily.bin');

    expect(await finding(tree, 'vdpa-module')).toMatchObject({ severity: 'ok' });
    expect(await finding(tree, 'vdpa-family')).toMatchObject({
      severity: 'error',
      cure: expect.stringContaining('nsenter --net=/proc/1/ns/net'),
    });
  });

  test('misses the driver vhost_vdpa', async () => {
    using tree = soundHost();
    tree.remove('sys/bus/vdpa/drivers/vhost_vdpa');

    expect(await finding(tree, 'vhost-vdpa-module')).toMatchObject({
      severity: 'error',
      cure: 'modprobe vhost_vdpa',
    });
  });

  test.each([
    ['both drivers', 'take what comes first', '1\n', true, 'warning'],
    ['both drivers', 'wait to be told', '0\n', true, 'ok'],
    ['vhost_vdpa alone', 'takes all', '1\n', false, 'ok'],
  ])('of %s that %s', async (_, __, autoprobe, both, severity) => {
    using tree = soundHost();
    tree.file('sys/bus/vdpa/drivers_autoprobe', autoprobe);
    if (!both) tree.remove('sys/bus/vdpa/drivers/virtio_vdpa');

    expect(await finding(tree, 'driver-contest')).toMatchObject({ severity });
  });

  test('names the devices that have no node', async () => {
    using tree = soundHost();
    tree.vdpa('vdpa7', tree.pciPath('0000:65:00.2'), { node: false });

    expect(await finding(tree, 'char-device-nodes')).toMatchObject({
      severity: 'error',
      message: 'no node below /dev, or a wrong one, for vdpa7',
    });
    expect(await finding(tree, 'devices')).toMatchObject({ message: '2 vDPA devices, 1 usable' });
  });

  test('that was asked before the host was closed is answered, or says CLOSED', async () => {
    using tree = soundHost();
    for (let round = 0; round < 20; round++) {
      const host = await VdpaHost.open({ root: tree.root });
      const asked = host.preflight().catch((error: unknown) => error);
      for (let turn = 0; turn < round; turn++) await Promise.resolve();
      await host.close();
      const answer = await asked;
      if (Array.isArray(answer)) expect(answer).toHaveLength(10);
      else expect(answer).toMatchObject({ code: 'CLOSED' });
    }
  });
});

describe('the VFs with a vDPA device', () => {
  test('may lack an IOMMU group, all or some of them', async () => {
    using tree = soundHost();
    tree.pf({ address: '0000:b3:00.0', totalVfs: 8, numVfs: 8, representors: true });
    for (const index of [0, 1, 2, 3, 4]) {
      const vf = tree.vfAddress('0000:b3:00.0', 1 + index);
      tree.vdpa(`b${index}`, tree.pciPath(vf));
    }
    expect(await finding(tree, 'iommu')).toMatchObject({
      severity: 'warning',
      message:
        'of the VFs with a vDPA device, 0000:b3:00.1, 0000:b3:00.2, 0000:b3:00.3 and 2 more in no IOMMU group',
      cure: expect.stringContaining('intel_iommu=on'),
    });
    tree.deleteVdpa('vdpa0');
    expect(await finding(tree, 'iommu')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('the kernel has no IOMMU switched on'),
    });
    for (const index of [0, 1, 2, 3, 4]) tree.deleteVdpa(`b${index}`);
    tree.vdpa('sim0', '', { managementName: 'vdpasim_net' });
    expect(await finding(tree, 'iommu')).toMatchObject({ severity: 'ok' });
  });

  test.each([
    ['a switch', { representors: true }, 'ok'],
    ['neither switch nor representors', {}, 'warning'],
  ])('of a PF with %s: %s', async (_, ports, severity) => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 4, numVfs: 2, ...ports });
    tree.pf({ address: '0000:b3:00.0', totalVfs: 4, numVfs: 2 });
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
    expect(await finding(tree, 'switchdev-order')).toMatchObject({
      severity,
      ...(severity === 'warning' && {
        message: expect.stringMatching(/^0000:65:00\.0 in legacy mode: /),
        cure: expect.stringContaining('devlink dev eswitch set pci/0000:65:00.0 mode switchdev'),
      }),
    });
  });

  test('are in no known mode where the interfaces of their PF are not seen', async () => {
    using tree = new CapturedHost();
    tree.pf({ address: '0000:65:00.0', totalVfs: 4, numVfs: 2 });
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
    tree.remove('netlink/link-dump.bin');
    expect(await finding(tree, 'switchdev-order')).toMatchObject({ severity: 'ok' });
  });
});

describe('VFs without a driver', () => {
  test.each([
    ['0\n', 'warning'],
    ['1\n', 'ok'],
    [null, 'ok'],
  ])('when the PF says %j of probing them: %s', async (autoprobe, severity) => {
    using tree = soundHost();
    const pf = '0000:65:00.0';
    const file = (address: string) =>
      `sys/devices/${tree.pciPath(address)}/sriov_drivers_autoprobe`;
    if (autoprobe !== null) tree.file(file(pf), autoprobe);
    expect(await finding(tree, 'vf-autoprobe')).toMatchObject({ severity: 'ok' });
    tree.remove(`sys/devices/${tree.pciPath('0000:65:00.2')}/driver`);
    tree.remove('sys/bus/pci/drivers/labnic_vf/0000:65:00.2');
    expect(await finding(tree, 'vf-autoprobe')).toMatchObject({
      severity,
      ...(severity === 'warning' && {
        message: `a VF has no driver, as sriov_drivers_autoprobe of ${pf} is 0: a VF without a driver is no management device`,
        cure: expect.stringContaining(`/sys/bus/pci/devices/${pf}/sriov_drivers_autoprobe`),
      }),
    });
  });
});
