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
    ]);
    expect(enumerators('Kind')).toEqual(['kPci', 'kAuxiliary', 'kSoftware']);
  });

  test('says where the node is that is not the right one', () => {
    const { resolver } = resolverOf({ outcome: 5 });
    expect(() => resolver.resolve(id)).toThrow('/dev/vhost-vdpa-3 is not the char device of vdpa0');
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
