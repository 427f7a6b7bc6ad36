import { beforeEach, describe, expect, test, vi } from 'vitest';
import { VdpaError, VdpaHost } from '../../../src/index.js';

// What the kernel cannot be made to show: a host without rights to undo, and refusals before it is
// asked at all.

const native = {
  exists: vi.fn((path: string) => !path.endsWith('/0000:65:00.2')),
  readText: vi.fn((_path: string): string | null => null),
  familyLists: vi.fn(async () => ({
    vdpaDevices: [],
    managementDevices: [
      {
        bus: 'pci',
        name: '0000:65:00.2',
        supportedClasses: 2n,
        maxVqs: 65,
        supportedFeatures: null,
        pciAddress: '',
      },
      {
        bus: '',
        name: 'vduse',
        supportedClasses: 6n,
        maxVqs: null,
        supportedFeatures: null,
        pciAddress: '',
      },
    ],
  })),
  addDevice: vi.fn(async () => {}),
  setMac: vi.fn(async () => {}),
  resolve: vi.fn(() => ({
    outcome: 4, // the node is missing
    vdpaName: '0000:65:00.2',
    driver: 'vhost_vdpa',
    charDeviceName: 'vhost-vdpa-0',
    major: 1,
    minor: 2,
  })),
  close: vi.fn(async () => {}),
};
vi.mock('../../../src/native.js', () => ({
  openNativeHost: () => native,
  helperProgram: () => '/x',
}));
const runHelper = vi.fn();
vi.mock('../../../src/host/helper.js', () => ({ runHelper: (task: unknown) => runHelper(task) }));

const deviceIdentity = vi.fn((_name: string): bigint | null => 7n);
vi.mock('../../../src/host/device-identity.js', () => ({
  deviceIdentity: (name: string) => deviceIdentity(name),
}));

const managementDevice = 'pci/0000:65:00.2';
let host: VdpaHost;
beforeEach(async () => {
  vi.clearAllMocks();
  runHelper.mockReset();
  host = await VdpaHost.open();
});

/** Every change, as a call that would be made. */
const changes: readonly [string, (host: VdpaHost) => Promise<unknown>][] = [
  ['createDevice', (on) => on.createDevice({ managementDevice })],
  ['deleteDevice', (on) => on.deleteDevice('vdpa0')],
  ['setMac', (on) => on.setMac('vdpa0', '02:00:00:00:00:01')],
  ['bindDriver', (on) => on.bindDriver('vdpa0', 'vhost_vdpa')],
  ['enableVfs', (on) => on.enableVfs('0000:65:00.0', 4)],
  ['provision', (on) => on.provision({ pfs: [{ ids: '15b3:101d' }] })],
];

describe('every change', () => {
  test.each(changes)('%s is refused on a captured host', async (_, change) => {
    const captured = await VdpaHost.open({ root: '/captures/a' });
    await expect(change(captured)).rejects.toMatchObject({
      code: 'HOST_CAPTURED',
      retry: 'never',
      outcome: 'unchanged',
    });
  });

  test.each(changes)('%s is refused once closed', async (_, change) => {
    await host.close();
    await expect(change(host)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test.each([0, -1, 600_001, 0.5, Number.NaN, '100'])('has no time limit of %s', async (limit) => {
    await expect(host.deleteDevice('vdpa0', { timeoutMs: limit as never })).rejects.toThrow(
      TypeError,
    );
    expect(runHelper).not.toHaveBeenCalled();
  });
});

describe('arguments of the wrong form', () => {
  test.each<[unknown, string]>([
    [{}, 'managementDevice'],
    [{ managementDevice, colour: 'red' }, 'colour'],
    [{ managementDevice, name: 'two words' }, 'name'],
    [{ managementDevice, name: '-x' }, 'name'],
    [{ managementDevice, name: '..' }, 'name'],
    [{ managementDevice, mac: '01:00:00:00:00:00' }, 'mac'],
    [{ managementDevice, mac: '00:00:00:00:00:00' }, 'mac'],
    [{ managementDevice, mtu: 67 }, 'mtu'],
    [{ managementDevice, mtu: 65_536 }, 'mtu'],
    [{ managementDevice, maxVqPairs: 0 }, 'maxVqPairs'],
    [{ managementDevice, maxVqPairs: 32_769 }, 'maxVqPairs'],
    [{ managementDevice, features: 5 }, 'features'],
    [{ managementDevice, features: 1n << 64n }, 'features'],
    [{ managementDevice: 'vduse' }, 'name'],
  ])('%o: a TypeError names the key', async (request, key) => {
    const error = await host.createDevice(request as never).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(key);
    expect(native.addDevice).not.toHaveBeenCalled();
  });

  test('of the others never reach the kernel', async () => {
    for (const call of [
      () => host.deleteDevice('a/b'),
      () => host.setMac('a/b', '02:00:00:00:00:01'),
      () => host.setMac('vdpa0', 'no'),
      () => host.bindDriver('..', null),
      () => host.bindDriver('vdpa0', '../pci'),
      () => host.enableVfs('eth0', 1),
      () => host.enableVfs('0000:65:00.0', -1),
      () => host.enableVfs('0000:65:00.0', 65_536),
    ]) {
      await expect(call()).rejects.toThrow(TypeError);
    }
    expect(runHelper).not.toHaveBeenCalled();
    expect(native.setMac).not.toHaveBeenCalled();
  });
});

describe('a creation that fails after the kernel has made the device', () => {
  test('and cannot be undone names the device among what is left', async () => {
    runHelper.mockImplementation(async ({ verb }) => {
      if (verb === 'delete') throw new VdpaError('KERNEL_TIMEOUT', 'time is up');
    });
    await expect(host.createDevice({ managementDevice })).rejects.toMatchObject({
      code: 'CHAR_DEVICE_MISSING',
      outcome: 'partial',
      leftovers: ['the vDPA device 0000:65:00.2'],
    });
    const name = '0000:65:00.2';
    expect(runHelper.mock.calls.map(([{ verb, force, words }]) => [verb, force, words])).toEqual([
      ['bind', true, [name, 'vhost_vdpa', '7']],
      ['delete', true, [name, '7']],
    ]);
  });

  test('which somebody has deleted before it could be told from others is not deleted by name', async () => {
    deviceIdentity.mockReturnValueOnce(null);
    runHelper.mockRejectedValue(new VdpaError('DEVICE_NOT_FOUND', 'gone'));
    await expect(host.createDevice({ managementDevice })).rejects.toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      outcome: 'undone',
    });
    expect(runHelper.mock.calls.map(([{ verb }]) => verb)).toEqual(['bind']);
  });

  test('and is gone by itself meanwhile is undone', async () => {
    runHelper.mockImplementation(async ({ verb }) => {
      if (verb === 'delete') throw new VdpaError('DEVICE_NOT_FOUND', 'gone');
    });
    await expect(host.createDevice({ managementDevice })).rejects.toMatchObject({
      outcome: 'undone',
      leftovers: [],
    });
  });

  test('by an abort that cannot be undone is not silent about the device', async () => {
    const controller = new AbortController();
    native.addDevice.mockImplementationOnce(async () => controller.abort('enough'));
    runHelper.mockRejectedValue(new VdpaError('DEVICE_BUSY', 'open'));
    await expect(
      host.createDevice({ managementDevice }, { signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'CHANGE_INTERRUPTED', outcome: 'partial', cause: 'enough' });
  });
});
