import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VdpaError } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';
import { type RawAddon, type RawHost, rawAddon } from './support/native.js';

const tree = new CapturedHost();
tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
let addon: RawAddon;
let host: RawHost;
beforeAll(() => {
  addon = rawAddon();
  host = new addon.Host(tree.root);
});
afterAll(async () => {
  await host.close();
  tree[Symbol.dispose]();
});

/** What a call came to: its value, or its error, thrown or rejected. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

const whole = { name: 'a', managementBus: '', managementName: 'b', mac: null };
const request = { ...whole, mtu: null, maxVqPairs: null, features: null };

describe('the native methods', () => {
  test.each<[keyof RawHost, unknown[]]>([
    ['snapshot', []],
    ['snapshot', ['1000']],
    ['snapshot', [Number.NaN]],
    ['snapshot', [Number.POSITIVE_INFINITY]],
    ['snapshot', [1e300]],
    ['snapshot', [-1]],
    ['familyLists', [null]],
    ['deviceConfig', [1000]],
    ['deviceConfig', ['a\0b', 1000]],
    ['deviceConfig', ['vdpa0', {}]],
    ['vendorStats', ['vdpa0', -1, 1000]],
    ['vendorStats', ['vdpa0', 0.5, 1000]],
    ['vendorStats', ['vdpa0', 2 ** 32, 1000]],
    ['vendorStats', ['vdpa0', Number.NaN, 1000]],
    ['deleteDevice', [Symbol('vdpa0'), 1000]],
    ['setMac', ['vdpa0', '02:00:00:00:00', 1000]],
    ['setMac', ['vdpa0', '02-00-00-00-00-01', 1000]],
    ['setMac', ['vdpa0', '0x:00:00:00:00:01', 1000]],
    ['setMac', ['vdpa0', '-1:00:00:00:00:01', 1000]],
    ['addDevice', [null, 1000]],
    ['addDevice', [{}, 1000]],
    ['addDevice', [{ ...request, name: 1 }, 1000]],
    ['addDevice', [{ ...request, mac: 'no' }, 1000]],
    ['addDevice', [{ ...request, mtu: 65536 }, 1000]],
    ['addDevice', [{ ...request, mtu: -1 }, 1000]],
    ['addDevice', [{ ...request, maxVqPairs: 1.5 }, 1000]],
    ['addDevice', [{ ...request, features: -1n }, 1000]],
    ['addDevice', [{ ...request, features: 2n ** 64n }, 1000]],
    ['addDevice', [{ ...request, features: 1 }, 1000]],
    ['resolve', [3, 'vdpa0', '', 0, 0]],
    ['resolve', [256, '0000:65:00.0', '', 0, 0]],
    ['resolve', [0, 'vdpa0', '', 0]],
    ['resolve', ['0', 'vdpa0', '', 0, 0]],
    ['readText', [null]],
    ['readText', ['a\0']],
    ['exists', [undefined]],
    ['exists', [{ toString: () => 'sys' }]],
    ['driverOverride', [null, 1000]],
    ['driverOverride', ['0000:65:00.0']],
    ['list', [[]]],
  ])('%s refuses %o with a TypeError', async (method, args) => {
    const error = await outcome(() => host[method](...args));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(/argument \d: expected /);
  });

  test('hand on the error of a getter, instead of one of their own', async () => {
    const own = new RangeError('from the getter');
    const trap = {
      ...request,
      get mac(): string {
        throw own;
      },
    };
    expect(await outcome(() => host.addDevice(trap, 1000))).toBe(own);
    const proxy = new Proxy(request, {
      get() {
        throw own;
      },
    });
    expect(await outcome(() => host.addDevice(proxy, 1000))).toBe(own);
  });

  test('survive a getter that closes the host under them', async () => {
    const other = new addon.Host(tree.root);
    const trap = {
      ...request,
      get features(): null {
        other.abandon();
        void other.close();
        return null;
      },
    };
    expect(await outcome(() => other.addDevice(trap, 1000))).toMatchObject({
      message: 'the host is closed',
    });
  });

  test('refuse to work on anything but a host', () => {
    const method = host.snapshot;
    for (const receiver of [undefined, null, {}, [], addon.Host, addon.Host.prototype, 1]) {
      expect(() => method.call(receiver, 1000)).toThrow();
    }
    expect(() => addon.Host('/')).toThrow(TypeError);
    expect(() => new addon.Host()).toThrow(TypeError);
    expect(() => new addon.Host('a\0b')).toThrow(TypeError);
    expect(() => addon.setUp()).toThrow(TypeError);
    expect(() => addon.setUp({}, () => {})).toThrow(TypeError);
    expect(() => addon.setUp(() => {}, {})).toThrow(TypeError);
  });

  test('answer or refuse whatever they are called with', async () => {
    const anything = fc.oneof(
      fc.anything({ withBigInt: true, withMap: true, withDate: true, withTypedArray: true }),
      fc.double(),
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom('vdpa0', '/', '..', '', '02:00:00:00:00:01', 0, 1, 1000),
      fc.record({
        name: fc.anything(),
        managementBus: fc.anything(),
        managementName: fc.string(),
        mac: fc.oneof(fc.constant(null), fc.string()),
        mtu: fc.oneof(fc.constant(null), fc.double()),
        maxVqPairs: fc.oneof(fc.constant(null), fc.integer()),
        features: fc.oneof(fc.constant(null), fc.bigInt()),
      }),
    );
    const methods: readonly (keyof RawHost)[] = [
      'snapshot',
      'familyLists',
      'deviceConfig',
      'vendorStats',
      'addDevice',
      'deleteDevice',
      'setMac',
      'resolve',
      'readText',
      'exists',
      'driverOverride',
      'list',
      'abandon',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...methods),
        fc.array(anything, { maxLength: 6 }),
        async (method, args) => {
          const result = await outcome(() => host[method](...args));
          if (result instanceof Error && !(result instanceof TypeError)) {
            expect(result).toBeInstanceOf(VdpaError);
          }
        },
      ),
      { numRuns: 1500 },
    );
    expect(await outcome(() => host.snapshot(1000))).toEqual([
      [expect.stringContaining('vhost-vdpa-0')],
      expect.any(Float64Array),
    ]);
  });

  test('let nothing be changed on a captured host', async () => {
    for (const call of [
      () => host.addDevice(request, 1000),
      () => host.deleteDevice('vdpa0', 1000),
      () => host.setMac('vdpa0', '02:00:00:00:00:01', 1000),
    ]) {
      expect(await outcome(call)).toMatchObject({ code: 'KERNEL_REFUSED', errno: 'EROFS' });
    }
  });
});
