import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { treeLines } from '../../../src/cli/view/tree-view.js';
import { deviceHealth } from '../../../src/host/device-health.js';
import type { LinkHealth } from '../../../src/index.js';
import {
  inventory,
  managementDevice,
  netdev,
  pciFunction,
  pf,
  sfDevice,
  sfManagement,
  simulator,
  unbound,
  vf,
  vfDevice,
} from './support/inventory.js';
import { sampleHost } from './support/sample-host.js';
import { ascii, coloured, narrow, plain } from './support/terminals.js';

const port = pf('0000:65:00.0', { numVfs: 255, totalVfs: 255, netdevs: [netdev('eth0')] });

describe('tree', () => {
  it('draws host, NUMA node, PF, VF, device and char device', () => {
    expect(treeLines(sampleHost(), plain)).toEqual([
      'host',
      '├─ NUMA node 0',
      '│  └─ pf 0000:65:00.0  enp101s0f0np0  mlx5_core  15b3:101d  32 of 32 VFs',
      '│     ├─ vf 0   0000:65:00.2  enp101s0f0npf0vf0  ✓ vdpa0  /dev/vhost-vdpa-0  usable',
      '│     ├─ vf 1   0000:65:00.3  enp101s0f0npf0vf1  ✓ vdpa1  /dev/vhost-vdpa-1  usable',
      '│     ├─ vf 2   0000:65:00.4  enp101s0f0npf0vf2  ! vdpa2                     not bound to a driver',
      '│     ├─ vf 3   0000:65:00.5  enp101s0f0npf0vf3  ! vdpa3                     held by the host (virtio_vdpa)',
      '│     ├─ vf 4   0000:65:00.6  enp101s0f0npf0vf4  ✗ vdpa4  /dev/vhost-vdpa-2  no node below /dev',
      '│     ├─ vf 5-31: 27 VFs without a vDPA device, driver mlx5_core, each can make one',
      '│     ├─ sf 88                                   – vdpa5  /dev/vhost-vdpa-5  on a scalable function',
      '│     └─ sf 89                                   no vDPA device',
      '├─ NUMA node 1',
      '│  └─ pf 0000:b3:00.0  enp179s0f0np0  mlx5_core  15b3:101d  0 of 16 VFs',
      '└─ software parents',
      '   ├─ vdpasim_net (simulator)',
      '   │  └─ – sim0  /dev/vhost-vdpa-9  software device',
      '   └─ userspace devices  no vDPA device, can make one',
      '',
      '7 devices, 2 usable, 5 not usable',
    ]);
  });

  it('says of each link what it is, and at the end which are not up', () => {
    const host = sampleHost();
    const links: Record<string, LinkHealth | null> = { vdpa0: 'down', vdpa1: 'no-answer' };
    const health = host.devices.map((device) =>
      deviceHealth(device, links[device.name] ?? (device.class === 'net' ? 'up' : null)),
    );
    const lines = treeLines(host, plain, '/', health);
    expect(lines[3]).toMatch(/ vdpa0 +\/dev\/vhost-vdpa-0 +link down +usable$/);
    expect(lines[4]).toMatch(/ vdpa1 +\/dev\/vhost-vdpa-1 +link unknown: no answer +usable$/);
    expect(lines[5]).toMatch(/ vdpa2 +link up +not bound to a driver$/);
    expect(lines.at(-1)).toBe(
      '7 devices, 2 usable, 5 not usable, 1 with the link down, 1 did not tell',
    );
  });

  it('draws with ASCII where the locale is not UTF-8', () => {
    const lines = treeLines(sampleHost(), ascii);
    expect(lines.join('\n')).toMatch(/^[ -~\n]*$/);
    expect(lines[1]).toBe('|-- NUMA node 0');
    expect(lines[2]).toMatch(/^\| {3}`-- pf 0000:65:00\.0 /);
    expect(lines[3]).toMatch(/^\| {7}\|-- vf 0 .* \+ vdpa0 .* usable$/);
    expect(lines[7]).toMatch(/x vdpa4/);
  });

  it('collapses the empty VFs of a PF with 255 around those that carry a device', () => {
    const vfs = Array.from({ length: 255 }, (_, index) => vf(port, index));
    const on = (index: number) => vfs[index] ?? vf(port, index);
    const lines = treeLines(
      inventory({
        pfs: [port],
        vfs,
        devices: [
          vfDevice('vdpa0', on(0)),
          vfDevice('vdpa100', on(100), unbound),
          vfDevice('vdpa103', on(103), { reasons: ['no-char-device'], charDevice: null }),
        ],
      }),
      plain,
    ).map((line) => line.trim());
    expect(lines).toEqual([
      'host',
      '└─ NUMA node 0',
      '└─ pf 0000:65:00.0  eth0  mlx5_core  15b3:101d  255 of 255 VFs',
      '├─ vf 0    0000:65:00.2  ✓ vdpa0    /dev/vhost-vdpa-0  usable',
      '├─ vf 1-99: 99 VFs without a vDPA device, driver mlx5_core',
      '├─ vf 100  0000:65:0c.6  ! vdpa100                     not bound to a driver',
      // Two are not a long run.
      '├─ vf 101  0000:65:0c.7  no vDPA device, driver mlx5_core',
      '├─ vf 102  0000:65:0d.0  no vDPA device, driver mlx5_core',
      '├─ vf 103  0000:65:0d.1  ✗ vdpa103                     no char device',
      '└─ vf 104-254: 151 VFs without a vDPA device, driver mlx5_core',
      '',
      '3 devices, 1 usable, 2 not usable',
    ]);
  });

  it('ends a run where driver, management device or numbering changes', () => {
    const drivers = ['mlx5_core', 'mlx5_core', 'mlx5_core', 'vfio-pci', 'vfio-pci', 'vfio-pci'];
    const vfs = [
      ...drivers.map((driver, index) => vf(port, index, { driver })),
      ...[6, 7, 8].map((index) => vf(port, index, { driver: null })),
      ...[12, 13, 14, 15, 16, 17].map((index) => vf(port, index, { driver: null })),
    ];
    const managed = vfs.slice(-3).map(({ address }) => managementDevice(`pci/${address}`));
    const runs = treeLines(inventory({ pfs: [port], vfs, managementDevices: managed }), plain)
      .filter((line) => line.includes('VFs without'))
      .map((line) => line.replace(/^\W+/, ''));
    expect(runs).toEqual([
      'vf 0-2: 3 VFs without a vDPA device, driver mlx5_core',
      'vf 3-5: 3 VFs without a vDPA device, driver vfio-pci',
      'vf 6-8: 3 VFs without a vDPA device, no driver',
      'vf 12-14: 3 VFs without a vDPA device, no driver',
      'vf 15-17: 3 VFs without a vDPA device, no driver, each can make one',
    ]);
  });

  it('puts several devices of one VF below it', () => {
    const shared = vf(port, 0);
    const lines = treeLines(
      inventory({
        pfs: [port],
        vfs: [shared],
        devices: ['a', 'b'].map((name) => vfDevice(name, shared, { reasons: ['parent-shared'] })),
      }),
      plain,
    );
    expect(lines.slice(3, 6).map((line) => line.trim())).toEqual([
      '└─ vf 0  0000:65:00.2  2 vDPA devices',
      '├─ ✗ a  /dev/vhost-vdpa-0  shares its parent with another device',
      '└─ ✗ b  /dev/vhost-vdpa-0  shares its parent with another device',
    ]);
  });

  it('hangs scalable functions and devices of the port itself below their PF, others apart', () => {
    const guest = pciFunction('0000:07:00.0', { driver: 'virtio-pci', numaNode: null });
    const onPort = sfDevice('vdpa1', port, 88);
    const lines = treeLines(
      inventory({
        pfs: [port],
        others: [guest],
        devices: [
          { ...onPort, name: 'p0' as never, parent: { ...onPort.parent, kind: 'pf' } },
          onPort,
          sfDevice('vdpa2', port, 7),
          {
            ...onPort,
            name: 'q0' as never,
            parent: { ...onPort.parent, kind: 'pci', pciAddress: guest.address, pfAddress: null },
          },
        ],
      }),
      plain,
    );
    expect(lines.filter((line) => /p0|q0|sf |unknown/.test(line)).map((l) => l.trim())).toEqual([
      expect.stringMatching(/├─ – p0 /),
      expect.stringMatching(/├─ sf 7 .*vdpa2/),
      expect.stringMatching(/└─ sf 88 .*vdpa1/),
      '└─ NUMA node unknown',
      expect.stringMatching(/└─ function 0000:07:00\.0 .*virtio-pci.* – q0 /),
    ]);
  });

  it('has a place for every scalable function that can carry a device, once', () => {
    const elsewhere = pf('0000:b3:00.0', { numVfs: 0 });
    const lines = treeLines(
      inventory({
        pfs: [port, elsewhere],
        devices: [sfDevice('vdpa1', port, 88)],
        managementDevices: [
          sfManagement(port, 88),
          sfManagement(port, 7),
          sfManagement(elsewhere, 88),
          // Of a PF that has gone, and one whose number is unknown: nowhere to draw them.
          sfManagement(pf('0000:f0:00.0'), 3),
          sfManagement(port, 4, { sfNumber: null }),
        ],
      }),
      plain,
    );
    expect(lines.filter((line) => /pf |sf /.test(line)).map((l) => l.replace(/^\W+/, ''))).toEqual([
      expect.stringMatching(/^pf 0000:65:00\.0 /),
      expect.stringMatching(/^sf 7 +no vDPA device$/),
      expect.stringMatching(/^sf 88 .*vdpa1/),
      expect.stringMatching(/^pf 0000:b3:00\.0 /),
      expect.stringMatching(/^sf 88 +no vDPA device$/),
    ]);
  });

  it('draws the scalable functions of a port without SR-IOV below it, free or not', () => {
    const single = pciFunction('0000:07:00.0', { netdevs: [netdev('eth7')] });
    const lines = treeLines(
      inventory({
        others: [single],
        devices: [sfDevice('vdpa1', single, 88)],
        managementDevices: [sfManagement(single, 88), sfManagement(single, 7)],
      }),
      plain,
    );
    expect(lines.slice(2, 5).map((line) => line.trim())).toEqual([
      '└─ function 0000:07:00.0  eth7  mlx5_core  2 scalable functions',
      '├─ sf 7   no vDPA device',
      '└─ sf 88  – vdpa1  /dev/vhost-vdpa-1  on a scalable function',
    ]);
  });

  it('names the class of a device that is not a network device', () => {
    const host = inventory({ devices: [simulator('blk0', { class: 'block' })] });
    expect(treeLines(host, plain).join('\n')).toContain('– blk0 (block)');
  });

  it('keeps a device whose parent has gone', () => {
    const lost = vfDevice('vdpa0', vf(port, 0));
    expect(treeLines(inventory({ devices: [lost] }), plain).join('\n')).toMatch(
      /└─ on parents that are not there .*\n {3}└─ ✓ vdpa0 /,
    );
  });

  it('colours names and states, and dims the guide lines', () => {
    const text = treeLines(sampleHost(), coloured).join('\n');
    expect(text).toContain('\u001b[32m✓ vdpa0\u001b[0m');
    expect(text).toContain('\u001b[33m! vdpa2\u001b[0m');
    expect(text).toContain('\u001b[31m✗ vdpa4\u001b[0m');
    expect(text).toContain('\u001b[31mno node below /dev\u001b[0m');
    expect(stripVTControlCharacters(text)).toBe(treeLines(sampleHost(), plain).join('\n'));
  });

  it('wraps a long sentence below its own branch on a narrow terminal', () => {
    const lines = treeLines(sampleHost(), narrow(60));
    const at = lines.findIndex((line) => line.includes('vf 5-31'));
    expect(lines.slice(at, at + 2)).toEqual([
      '│     ├─ vf 5-31: 27 VFs without a vDPA device, driver',
      '│     │    mlx5_core, each can make one',
    ]);
  });

  it('escapes control characters of names and drivers', () => {
    const lines = treeLines(
      inventory({
        pfs: [pf('0000:65:00.0', { netdevs: [netdev('e\u001b]0;x\u0007')], driver: 'd\rd' })],
      }),
      plain,
    );
    expect(lines.join('')).not.toMatch(/\p{Cc}/u);
    expect(lines[2]).toContain('e\\x1b]0;x\\x07  d\\x0dd');
  });

  it('says what to do on a host with nothing', () => {
    expect(treeLines(inventory({ abi: null }), plain)).toEqual([
      'host',
      '',
      'No vDPA devices: the kernel has no vdpa netlink family here.',
      "Load it (modprobe -a vdpa vhost_vdpa), then see 'vdpa-host doctor'.",
    ]);
  });

  it('says whose tree it is when it is a captured one', () => {
    expect(treeLines(inventory(), plain, '/captures/node7')[0]).toBe('host below /captures/node7');
  });

  it('says that the host did not keep still', () => {
    expect(treeLines(inventory({ consistent: false }), plain).at(-1)).toMatch(/kept changing/);
  });
});
