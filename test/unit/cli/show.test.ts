import { describe, expect, it } from 'vitest';
import { blockConfig, fakeHost, refusesConfig, refusesOverride } from './support/fake-host.js';
import { inventory, pciFunction, pf, simulator, vf, vfDevice } from './support/inventory.js';
import { runCli } from './support/run-cli.js';

async function show(query: string, host = fakeHost()): Promise<string> {
  const { code, stdout, stderr } = await runCli(['show', query], { host });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describe('show of a device', () => {
  it('tells identity, state, place and configuration', async () => {
    expect(await show('vdpa0')).toBe(`vDPA device vdpa0
  device id          pci/0000:65:00.2
  state              ✓ usable
  class              net
  parent             0000:65:00.2 (vf 0 of 0000:65:00.0)
  NUMA node          0
  driver             vhost_vdpa
  char device        /dev/vhost-vdpa-0 (511:0)
  management device  pci/0000:65:00.2
  vendor id          15b3
  virtqueues         65
  virtqueue size     256
  MAC                02:00:00:00:00:01
  MTU                1500
  queue pairs        32
  link               up
  announce           no
  features           0x300020020 MAC CTRL_VQ VERSION_1 ACCESS_PLATFORM
  negotiated         -
`);
  });

  it('adds the cure to what is wrong', async () => {
    const text = await show('vdpa4');
    expect(text).toMatch(/state +✗ no node below \/dev\n +mount devtmpfs on \/dev/);
    expect(text).toContain('/dev/vhost-vdpa-2 (511:2, no node)');
  });

  it('names each of several reasons with its cure', async () => {
    const host = fakeHost({
      inventory: inventory({ devices: [simulator('blk0', { class: 'block' })] }),
      config: blockConfig,
    });
    const text = await show('vdpa/blk0', host);
    expect(text).toMatch(/\n +software device: made for tests/);
    expect(text).toMatch(/\n +not a network device: only devices of class net/);
    expect(text).toMatch(/capacity +4611686018427387905 sectors of 512 bytes/);
    expect(text).toMatch(/read only +yes\n/);
    expect(text).toMatch(/negotiated +0x100000000 VERSION_1\n/);
  });

  it('tells a wrong node from one that is missing', async () => {
    const node = { path: '/dev/vhost-vdpa-2', major: 511, minor: 2, nodeExists: false };
    const devices = [
      vfDevice('vdpa0', vf(pf('0000:65:00.0'), 0), {
        charDevice: node,
        reasons: ['node-mismatch'],
      }),
    ];
    const text = await show('vdpa0', fakeHost({ inventory: inventory({ devices }) }));
    expect(text).toMatch(/state +✗ another node below \/dev\n +remove the stale file/);
  });

  it('says in its place that the configuration can not be had', async () => {
    const text = await show('vdpa0', fakeHost({ config: refusesConfig }));
    expect(text).toMatch(/virtqueue size +256\n/);
    expect(text).toMatch(
      /configuration +not available: configuration of vdpa0: not supported \[NOT_SUPPORTED\]\n/,
    );
  });

  it('fails as a whole when the program is wrong', async () => {
    const host = fakeHost({
      config: () => {
        throw new TypeError('no such thing');
      },
    });
    const { code, stdout, stderr } = await runCli(['show', 'vdpa0'], { host });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('no such thing');
  });
});

describe('show of something else', () => {
  it('shows both meanings of a handle', async () => {
    const text = await show('pci/0000:65:00.2');
    expect(text).toMatch(/^vDPA device vdpa0\n/);
    expect(text).toMatch(/\n\nmanagement device pci\/0000:65:00\.2\n/);
    expect(text).toMatch(/classes +net\n +most virtqueues +257\n/);
    expect(text).toMatch(/1 device +vdpa0\n$/);
  });

  it('shows a PF with what stands on it', async () => {
    const text = await show('0000:65:00.0');
    expect(text).toMatch(/^physical function 0000:65:00\.0\n {2}VFs +32 of 32\n/);
    expect(text).toMatch(/interfaces +enp101s0f0np0 \(b8:ce:f6:00:00:01\)\n/);
    expect(text).toMatch(/\n {2}├─ vf 0 .*vdpa0/);
    expect(text).toMatch(/\n {2}├─ sf 88 .*vdpa5/);
    expect(text).toMatch(/\n {2}└─ sf 89 +no vDPA device\n/);
  });

  it('shows a VF with its place, representor and device', async () => {
    const text = await show('0000:65:00.4');
    expect(text).toMatch(/^virtual function 0000:65:00\.4\n {2}VF +2 of 0000:65:00\.0\n/);
    expect(text).toMatch(/representor +enp101s0f0npf0vf2\n/);
    expect(text).toMatch(/IOMMU group +52\n/);
    expect(text).toMatch(/driver_override +-\n/);
    expect(text).toMatch(/vDPA device +! vdpa2: not bound to a driver\n$/);
  });

  it('shows a function that is neither', async () => {
    const host = fakeHost({
      inventory: inventory({ others: [pciFunction('0000:07:00.0')] }),
    });
    expect(await show('0000:07:00.0', host)).toMatch(
      /^PCI function 0000:07:00\.0\n[\s\S]*driver_override +-\n/,
    );
  });

  it('asks of the functions it shows, and of no other, what driver they are for', async () => {
    const asked: string[] = [];
    const host = fakeHost({
      override: (address) => {
        asked.push(address);
        return 'vfio-pci';
      },
    });
    expect(await show('0000:65:00.4', host)).toMatch(/driver_override +vfio-pci\n/);
    expect(await show('65:00.0', host)).toMatch(/driver_override +vfio-pci\n/);
    await show('vdpa0', host);
    await show('pci/0000:65:00.2', host);
    for (const command of ['list', 'tree']) await runCli([command], { host });
    expect(asked).toEqual(['0000:65:00.4', '0000:65:00.0']);
  });

  it('says in its place that a busy driver keeps the answer', async () => {
    const text = await show('0000:65:00.4', fakeHost({ override: refusesOverride }));
    expect(text).toMatch(
      /driver_override +not available: driver_override of 0000:65:00\.4: no answer \[KERNEL_TIMEOUT\]\n/,
    );
    expect(text).toMatch(/vDPA device +! vdpa2/);
  });

  it('takes an address as lspci prints it', async () => {
    expect(await show('65:00.3')).toMatch(/^virtual function 0000:65:00\.3\n/);
    expect(await show('0000:B3:00.0')).toMatch(/^physical function 0000:b3:00\.0\n/);
  });

  it('shows a management device without a bus', async () => {
    expect(await show('vduse')).toMatch(/^management device vduse\n {2}bus +-\n/);
  });

  it('shows every device of a shared parent', async () => {
    const shared = vf(pf('0000:65:00.0'), 0);
    const devices = ['a', 'b'].map((name) => vfDevice(name, shared));
    const text = await show(
      'pci/0000:65:00.2',
      fakeHost({ inventory: inventory({ vfs: [shared], devices }) }),
    );
    expect(text.match(/^vDPA device [ab]$/gm)).toEqual(['vDPA device a', 'vDPA device b']);
  });
});

describe('show of nothing', () => {
  it.each([
    ['vdpa6', 'vdpa'],
    ['vpda0', 'vdpa0'],
    ['0000:65:00.9', '0000:65:00.'],
    ['pci/0000:65:0.2', 'pci/0000:65:00.2'],
    ['sim', 'sim0'],
  ])('%s: names what comes close', async (query, close) => {
    const { code, stdout, stderr } = await runCli(['show', query]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^vdpa-host: .*did you mean .*\? \[DEVICE_NOT_FOUND\]\n$/);
    expect(stderr.split('did you mean')[1]).toContain(close);
  });

  it('points to the tree when nothing comes close', async () => {
    const { code, stderr } = await runCli(['show', 'quite-another-thing']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "vdpa-host: quite-another-thing: no vDPA device, PCI function or management device of this host: see 'vdpa-host tree' [DEVICE_NOT_FOUND]\n",
    );
  });
});
