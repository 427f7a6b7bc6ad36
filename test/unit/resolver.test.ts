import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../src/host/connection.js';
import { Resolver } from '../../src/host/resolver.js';
import type { ResolvedRow } from '../../src/rows.js';

const header = readFileSync(new URL('../../native/core/char_device.h', import.meta.url), 'utf8');

/** An enum's names as the header has them, in order. */
function enumerators(name: string): string[] {
  const [, body = ''] = new RegExp(`enum class ${name}[^{]*\\{([^}]*)\\}`).exec(header) ?? [];
  return [...body.matchAll(/^\s*(k\w+),/gm)].map(([, entry]) => entry ?? '');
}

function resolverOf(...rows: readonly Partial<ResolvedRow>[]) {
  const resolve = vi.fn((): ResolvedRow => {
    const row = rows[Math.min(resolve.mock.calls.length, rows.length) - 1];
    return {
      outcome: 0,
      vdpaName: 'vdpa0',
      driver: 'vhost_vdpa',
      charDeviceName: 'vhost-vdpa-3',
      major: 250,
      minor: 3,
      ...row,
    };
  });
  const connection = { assertOpen: () => {}, native: { resolve } } as unknown as Connection;
  return { resolver: new Resolver(connection), resolve };
}

const id = 'pci/0000:65:00.2';

describe('the resolver', () => {
  test.each([
    ['kNoParent', 'DEVICE_NOT_FOUND', 'later'],
    ['kNoVdpaDevice', 'DEVICE_NOT_FOUND', 'after-fix'],
    ['kNotBound', 'DEVICE_NOT_BOUND', 'after-fix'],
    ['kNodeMissing', 'CHAR_DEVICE_MISSING', 'later'],
    ['kNodeMismatch', 'CHAR_DEVICE_MISMATCH', 'after-fix'],
    ['kNoCharDevice', 'CHAR_DEVICE_MISSING', 'later'],
    ['kAmbiguous', 'DEVICE_AMBIGUOUS', 'after-fix'],
  ])("makes of the core's %s the error %s", (state, code, retry) => {
    const outcome = enumerators('CharDeviceState').indexOf(state);
    const { resolver } = resolverOf({ outcome });
    expect(() => resolver.resolve(id)).toThrow(expect.objectContaining({ code, retry }));
  });

  test('knows every state and every kind of place that the core has', () => {
    expect(enumerators('CharDeviceState')).toEqual([
      'kOk',
      'kNoParent',
      'kNoVdpaDevice',
      'kNotBound',
      'kNodeMissing',
      'kNodeMismatch',
      'kNoCharDevice',
      'kAmbiguous',
    ]);
    expect(enumerators('Kind')).toEqual(['kPci', 'kAuxiliary', 'kSoftware']);
  });

  test('says where the node is that is not the right one', () => {
    const { resolver } = resolverOf({ outcome: 5 });
    expect(() => resolver.resolve(id)).toThrow('/dev/vhost-vdpa-3 is not the char device of vdpa0');
  });

  test('names every device that an ambiguous id could mean', () => {
    const { resolver } = resolverOf({ outcome: 7, vdpaName: 'vdpa0, vdpa4', charDeviceName: null });
    expect(() => resolver.resolve(id)).toThrow(
      `${id}: several vDPA devices stand there (vdpa0, vdpa4)`,
    );
  });

  test('tells a device that is just being bound from one whose node is missing', () => {
    const binding = resolverOf({ outcome: 6, charDeviceName: null }).resolver;
    expect(() => binding.resolve(id)).toThrow('vdpa0 is just being bound to vhost_vdpa');
    const without = resolverOf({ outcome: 4 }).resolver;
    expect(() => without.resolve(id)).toThrow('/dev/vhost-vdpa-3 is not there');
  });

  test('looks first where the device was last, until it is not there', () => {
    const moved = { vdpaName: 'vdpa1', minor: 9, charDeviceName: 'vhost-vdpa-9' };
    const { resolver, resolve } = resolverOf({}, {}, moved, { outcome: 1 }, {});
    const look = (): unknown => {
      try {
        return resolver.resolve(id).charDevice.path;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(Array.from({ length: 5 }, look)).toEqual([
      '/dev/vhost-vdpa-3',
      '/dev/vhost-vdpa-3',
      '/dev/vhost-vdpa-9',
      'DEVICE_NOT_FOUND',
      '/dev/vhost-vdpa-3',
    ]);
    expect(resolve.mock.calls).toEqual([
      [0, '0000:65:00.2', '', 0, 0],
      [0, '0000:65:00.2', 'vdpa0', 250, 3],
      [0, '0000:65:00.2', 'vdpa0', 250, 3],
      [0, '0000:65:00.2', 'vdpa1', 250, 9],
      [0, '0000:65:00.2', '', 0, 0],
    ]);
  });
});

describe('the resolver of a scalable function', () => {
  const sfId = 'pci/0000:65:00.0/sf/88';
  const entries = ['driver', 'mlx5_core.sf.2', 'mlx5_core.sf.3', 'mlx5_core.sf.4', 'net'];

  /** A PF with three scalable functions, whose numbers the test may change. */
  function scalable(names: string[] | null = entries) {
    const numbers: Record<string, string> = {
      'mlx5_core.sf.2': '8',
      'mlx5_core.sf.3': '880',
      'mlx5_core.sf.4': '88',
    };
    const { resolve } = resolverOf({});
    const readText = vi.fn((path: string) => numbers[path.split('/').at(-2) ?? ''] ?? null);
    const list = vi.fn(() => names);
    const connection = { assertOpen: () => {}, native: { resolve, readText, list } };
    return {
      resolver: new Resolver(connection as unknown as Connection),
      numbers,
      resolve,
      readText,
      list,
    };
  }

  test('finds it among those of the PF', () => {
    const { resolver, resolve, list } = scalable();
    expect(resolver.resolve(sfId)).toMatchObject({ id: sfId, name: 'vdpa0' });
    expect(list).toHaveBeenCalledWith('sys/bus/pci/devices/0000:65:00.0');
    expect(resolve).toHaveBeenCalledWith(1, 'mlx5_core.sf.4', '', 0, 0);
  });

  test('reads one number the next time, and no list', () => {
    const { resolver, resolve, readText, list } = scalable();
    resolver.resolve(sfId);
    vi.clearAllMocks();
    resolver.resolve(sfId);
    expect(readText.mock.calls).toEqual([['sys/bus/auxiliary/devices/mlx5_core.sf.4/sfnum']]);
    expect(list).not.toHaveBeenCalled();
    expect(resolve).toHaveBeenCalledWith(1, 'mlx5_core.sf.4', 'vdpa0', 250, 3);
  });

  test('finds it anew when another has taken its place on the bus', () => {
    const { resolver, resolve, numbers } = scalable();
    resolver.resolve(sfId);
    Object.assign(numbers, { 'mlx5_core.sf.4': '5', 'mlx5_core.sf.2': '88' });
    resolver.resolve(sfId);
    expect(resolve).toHaveBeenLastCalledWith(1, 'mlx5_core.sf.2', 'vdpa0', 250, 3);
    resolver.resolve(sfId);
    resolver.resolve(sfId);
    expect(resolve).toHaveBeenLastCalledWith(1, 'mlx5_core.sf.2', 'vdpa0', 250, 3);
  });

  test.each([
    ['of a PF that has others only', 'pci/0000:65:00.0/sf/9', entries],
    ['of a PF that is not there', sfId, null],
  ])('says that there is none %s, which may change', (_, query, names) => {
    const { resolver, resolve } = scalable(names);
    expect(() => resolver.resolve(query)).toThrow(
      expect.objectContaining({ code: 'DEVICE_NOT_FOUND', retry: 'later' }),
    );
    expect(resolve).not.toHaveBeenCalled();
  });
});
