import { beforeEach, describe, expect, test, vi } from 'vitest';
import { VdpaHost } from '../../../src/index.js';
import { deviceConfigRow } from '../support/rows.js';

/** The native side: what reaches it has passed every check. */
const native = {
  exists: vi.fn((_path: string) => true),
  deviceConfig: vi.fn(async (name: string) => deviceConfigRow({ name })),
  vendorStats: vi.fn(async (name: string, queueIndex: number) => ({
    name,
    deviceId: 1,
    queueIndex,
    maxVqPairs: null,
    negotiatedFeatures: null,
    counters: [{ name: 'received_desc', value: 5n }],
  })),
  driverOverride: vi.fn(async (_address: string): Promise<string | null> => 'vfio-pci'),
  close: vi.fn(async () => {}),
};
vi.mock('../../../src/native.js', () => ({ openNativeHost: () => native }));

let host: VdpaHost;
beforeEach(async () => {
  vi.clearAllMocks();
  host = await VdpaHost.open();
});

const badNames: [string, unknown][] = [
  ['an empty text', ''],
  ['a path', '../vdpa0'],
  ['a directory', '..'],
  ['a text that ends early', 'vdpa0\0x'],
  ['256 bytes', 'x'.repeat(256)],
  ['a number', 5],
  ['null', null],
  ['undefined', undefined],
  ['a list of one', ['vdpa0']],
];

describe('a name that no device can have', () => {
  test.each(badNames)('such as %s is refused before the kernel is asked', async (_, name) => {
    const words = `${JSON.stringify(name)} is no name of a vDPA device`;
    await expect(host.deviceConfig(name as never)).rejects.toThrow(new TypeError(words));
    await expect(host.vendorStats(name as never, 0)).rejects.toThrow(new TypeError(words));
    expect(native.exists).not.toHaveBeenCalled();
    expect(native.deviceConfig).not.toHaveBeenCalled();
    expect(native.vendorStats).not.toHaveBeenCalled();
  });

  test('is not one of 255 bytes, or with blanks', async () => {
    for (const name of ['vdpa0', 'x'.repeat(255), 'two words', '...']) {
      expect((await host.deviceConfig(name)).name).toBe(name);
    }
  });
});

describe('vendor statistics', () => {
  test.each([-1, 65_536, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null, undefined, 2n])(
    'have no queue %s',
    async (queue) => {
      await expect(host.vendorStats('vdpa0', queue as never)).rejects.toThrow(
        new TypeError(`${queue} is no virtqueue number: expected 0 to 65535`),
      );
      expect(native.vendorStats).not.toHaveBeenCalled();
    },
  );

  test.each([0, 1, 65_535])('of queue %i are asked', async (queueIndex) => {
    expect(await host.vendorStats('vdpa0', queueIndex)).toEqual({
      name: 'vdpa0',
      queueIndex,
      negotiatedFeatures: null,
      counters: [{ name: 'received_desc', value: 5n }],
    });
    expect(native.vendorStats).toHaveBeenCalledWith('vdpa0', queueIndex, 10_000);
  });
});

describe('the driver that a function is reserved for', () => {
  test('is asked of the one function', async () => {
    expect(await host.driverOverride('0000:65:00.2')).toBe('vfio-pci');
    expect(native.driverOverride.mock.calls).toEqual([['0000:65:00.2', 10_000]]);
    native.driverOverride.mockResolvedValueOnce(null);
    expect(await host.driverOverride('0000:65:00.2')).toBeNull();
  });

  test('needs no vDPA on the host', async () => {
    native.exists.mockReturnValueOnce(false);
    expect(await host.driverOverride('0000:65:00.2')).toBe('vfio-pci');
  });

  test.each(['', '65:00.2', '0000:65:00.8', '0000:AB:00.0', '../0000:65:00.2', 5, null, undefined])(
    'is not asked of %j, which is no address',
    async (address) => {
      await expect(host.driverOverride(address as never)).rejects.toThrow(
        new TypeError(`${JSON.stringify(address)} is no PCI address: expected 0000:65:00.2`),
      );
      expect(native.driverOverride).not.toHaveBeenCalled();
    },
  );

  test('is asked in turn, with a signal, and never of a closed host', async () => {
    const signal = AbortSignal.abort('enough');
    await expect(host.driverOverride('0000:65:00.2', { signal })).rejects.toBe('enough');
    await host.close();
    await expect(host.driverOverride('0000:65:00.2')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(native.driverOverride).not.toHaveBeenCalled();
  });
});

test('a host without the vdpa bus is told apart before anything is loaded', async () => {
  native.exists.mockReturnValue(false);
  for (const ask of [host.deviceConfig('vdpa0'), host.vendorStats('vdpa0', 0)]) {
    await expect(ask).rejects.toMatchObject({ code: 'VDPA_MODULE_MISSING' });
  }
  expect(native.exists).toHaveBeenCalledWith('sys/bus/vdpa');
  expect(native.deviceConfig).not.toHaveBeenCalled();
  expect(native.vendorStats).not.toHaveBeenCalled();
});
