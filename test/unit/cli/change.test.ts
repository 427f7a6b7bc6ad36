import { describe, expect, it } from 'vitest';
import { fakeHost } from './support/fake-host.js';
import { inventory, managementDevice } from './support/inventory.js';
import { runCli } from './support/run-cli.js';

/** What the library is asked for by a command line. */
async function asked(...argv: readonly string[]): Promise<unknown[]> {
  const host = fakeHost();
  const { code, stderr } = await runCli(argv, { host });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return host.changes[0] ?? [];
}

describe('create', () => {
  it('asks for what was given and nothing else', async () => {
    expect(await asked('create', 'pci/0000:65:00.2')).toEqual([
      'createDevice',
      { managementDevice: 'pci/0000:65:00.2' },
      { signal: undefined },
    ]);
    const all = ['--name', 'a', '--mac', '02:00:00:00:00:01', '--mtu', '9000', '--max-vqp', '8'];
    expect(await asked('create', 'pci/0000:65:00.2', ...all, '--features', '0x300000028')).toEqual([
      'createDevice',
      {
        managementDevice: 'pci/0000:65:00.2',
        name: 'a',
        mac: '02:00:00:00:00:01',
        mtu: 9000,
        maxVqPairs: 8,
        features: 0x3_0000_0028n,
      },
      { signal: undefined },
    ]);
  });

  it('takes features by name, of the class that the management device makes', async () => {
    const host = fakeHost({
      inventory: inventory({
        managementDevices: [managementDevice('vdpasim_blk', { classes: ['block'] })],
      }),
    });
    for (const [parent, list, mask] of [
      ['pci/0000:65:00.2', 'MAC,mtu,VERSION_1', (1n << 5n) | (1n << 3n) | (1n << 32n)],
      ['pci/0000:65:00.2', 'MQ,BIT_48', (1n << 22n) | (1n << 48n)],
      ['vdpasim_blk', 'MQ', 1n << 12n],
    ] as const) {
      await runCli(['create', parent, '--features', list], { host });
      expect(host.changes.at(-1)).toMatchObject(['createDevice', { features: mask }, {}]);
    }
    expect(await runCli(['create', 'x', '--features', 'MAC,MUC'], { host })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no feature of class net is called 'MUC'"),
    });
  });

  it('reports what the library refuses as a mistake as one of the command line', async () => {
    const host = {
      ...fakeHost(),
      createDevice: () => Promise.reject(new TypeError('createDevice: name: too odd')),
    };
    expect(await runCli(['create', 'x', '--name', '%'], { host })).toMatchObject({
      code: 2,
      stderr: "vdpa-host: name: too odd (see 'vdpa-host create --help')\n",
    });
  });
});

describe('the other changes', () => {
  it('force and replace only when told', async () => {
    const force = { signal: undefined, force: true };
    const gentle = { signal: undefined, force: false };
    expect(await asked('delete', 'vdpa0')).toEqual(['deleteDevice', 'vdpa0', gentle]);
    expect(await asked('delete', 'vdpa3', '--force')).toEqual(['deleteDevice', 'vdpa3', force]);
    expect(await asked('bind', 'vdpa0', 'none')).toEqual(['bindDriver', 'vdpa0', null, gentle]);
    expect(await asked('bind', 'vdpa3', 'vhost_vdpa', '--force')).toEqual([
      'bindDriver',
      'vdpa3',
      'vhost_vdpa',
      force,
    ]);
    expect(await asked('vfs', '65:00.0', '8', '--replace')).toEqual([
      'enableVfs',
      '0000:65:00.0',
      8,
      { signal: undefined, replace: true, force: false },
    ]);
    expect(await asked('set-mac', 'vdpa0', '02:00:00:00:00:05')).toEqual([
      'setMac',
      'vdpa0',
      '02:00:00:00:00:05',
      { signal: undefined },
    ]);
  });

  it('say on one line what stands now', async () => {
    expect((await runCli(['bind', 'vdpa0', 'vhost_vdpa'])).stdout).toBe('/dev/vhost-vdpa-6\n');
    expect((await runCli(['bind', 'vdpa0', 'none'])).stdout).toBe('vdpa0 is bound to no driver\n');
    expect((await runCli(['vfs', '65:00.0', '1'])).stdout).toBe('0000:65:00.0 has 1 VF\n');
  });

  it('end with 1 when the library refuses', async () => {
    expect(await runCli(['delete', 'vdpa1'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('[DEVICE_BUSY]'),
    });
  });
});
