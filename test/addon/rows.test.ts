import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type * as rows from '../../src/rows.js';
import { CapturedHost } from '../support/captured-host.js';
import { withNativeHost } from './support/native.js';

// What C++ makes is not parsed at run time. Here it is, against schemas that are the same types.

const word = z.bigint().min(0n).max(0xffff_ffff_ffff_ffffn);
const u32 = z.int().min(0).max(0xffff_ffff);
const u16 = z.int().min(0).max(0xffff);
const u8 = z.int().min(0).max(0xff);
const text = z.string();
const mac = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);

const abi = z.strictObject({ familyId: u16, maxAttribute: u32, commands: word });
const managementDevice = z.strictObject({
  bus: text,
  name: text,
  supportedClasses: word,
  maxVqs: u32.nullable(),
  supportedFeatures: word.nullable(),
  pciAddress: text,
});
const vdpaDevice = z.strictObject({
  name: text,
  managementBus: text,
  managementName: text,
  deviceId: u32,
  vendorId: u32,
  maxVqs: u32,
  maxVqSize: u16,
  minVqSize: u16.nullable(),
});
const busDevice = z.strictObject({
  name: text,
  parentPath: text,
  driver: text,
  charDeviceName: text.nullable(),
  major: u32,
  minor: u32,
  nodeState: u8.max(2),
});
const pciFunction = z.strictObject({
  address: text,
  vendorId: u16,
  deviceId: u16,
  subsystemVendorId: u16,
  subsystemDeviceId: u16,
  pciClass: u32,
  revision: u8.nullable(),
  driver: text,
  numaNode: u32.nullable(),
  iommuGroup: u32.nullable(),
  pfAddress: text,
  vfIndex: u32.nullable(),
  totalVfs: u16.nullable(),
  numVfs: u16.nullable(),
});
const scalableFunction = z.strictObject({
  name: text,
  pfAddress: text,
  sfNumber: u32.nullable(),
});
const netdev = z.strictObject({
  name: text,
  ifindex: u32,
  mac: mac.nullable(),
  physSwitchId: text,
  physPortName: text,
  pciAddress: text,
});
const deviceConfig = z.strictObject({
  name: text,
  deviceId: u32,
  negotiatedFeatures: word.nullable(),
  deviceFeatures: word.nullable(),
  mac: mac.nullable(),
  netStatus: u16.nullable(),
  maxVqPairs: u16.nullable(),
  mtu: u16.nullable(),
  capacitySectors: word.nullable(),
  sizeMax: u32.nullable(),
  blockSize: u32.nullable(),
  segMax: u32.nullable(),
  numQueues: u16.nullable(),
  physicalBlockExp: u8.nullable(),
  alignmentOffset: u8.nullable(),
  minIoSize: u16.nullable(),
  optIoSize: u32.nullable(),
  maxDiscardSectors: u32.nullable(),
  maxDiscardSeg: u32.nullable(),
  discardSectorAlignment: u32.nullable(),
  maxWriteZeroesSectors: u32.nullable(),
  maxWriteZeroesSeg: u32.nullable(),
  readOnly: u8.nullable(),
  flush: u8.nullable(),
});
const vendorStats = z.strictObject({
  name: text,
  deviceId: u32,
  queueIndex: u32,
  maxVqPairs: u16.nullable(),
  negotiatedFeatures: word.nullable(),
  counters: z.array(z.strictObject({ name: text, value: word })),
});
const resolved = z.strictObject({
  outcome: u8,
  vdpaName: text,
  driver: text,
  charDeviceName: text.nullable(),
  major: u32,
  minor: u32,
});
const snapshot = z.strictObject({
  abi: abi.nullable(),
  managementDevices: z.array(managementDevice),
  vdpaDevices: z.array(vdpaDevice),
  busDevices: z.array(busDevice),
  pciFunctions: z.array(pciFunction),
  scalableFunctions: z.array(scalableFunction),
  netdevs: z.array(netdev),
  consistent: z.boolean(),
  ueventSeqnum: word,
});

/** Compiles only when the schema's type and the row's are the same. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
type Read<T> = z.output<T & z.ZodType>;
const schemasAreTheTypes: readonly [
  Same<Read<typeof managementDevice>, rows.ManagementDeviceRow>,
  Same<Read<typeof vdpaDevice>, rows.VdpaDeviceRow>,
  Same<Read<typeof busDevice>, rows.BusDeviceRow>,
  Same<Read<typeof pciFunction>, rows.PciFunctionRow>,
  Same<Read<typeof scalableFunction>, rows.ScalableFunctionRow>,
  Same<Read<typeof netdev>, rows.NetdevRow>,
  Same<Read<typeof deviceConfig>, rows.DeviceConfigRow>,
  Same<Read<typeof resolved>, rows.ResolvedRow>,
  Same<Read<typeof abi>, rows.AbiRow>,
] = [true, true, true, true, true, true, true, true, true];

/** A host on which every optional field of every row has a value somewhere, and lacks one. */
function hostWithEverything(): CapturedHost {
  const tree = new CapturedHost();
  tree.pf({
    address: '0000:65:00.0',
    totalVfs: 16,
    numVfs: 2,
    numaNode: 1,
    iommuGroup: 40,
    representors: true,
  });
  tree.pf({ address: '10000:01:00.0', totalVfs: 1, numVfs: 1 });
  tree.remove(`sys/devices/${tree.pciPath('10000:01:00.0')}/revision`);
  tree.vdpa('vdpa0', tree.pciPath('0000:65:00.1'));
  tree.vdpa('vdpa1', tree.pciPath('0000:65:00.2'), { driver: null });
  tree.vdpa('old0', '', { managementName: 'vdpasim_net', minVqSize: null, node: false });
  tree.management('', 'vdpasim_net', 2n, null);
  tree.vdpa('sf0', tree.scalableFunction('0000:65:00.0', 'mlx5_core.sf.4', '88\n'));
  tree.vdpa('sf1', tree.scalableFunction('0000:65:00.0', 'mlx5_core.sf.5', '\n'));
  return tree;
}

const biggest = 0xffff_ffff_ffff_ffffn;
const everyAttribute = [
  [5, { u32: 2 }],
  [10, { bytes: Buffer.alloc(6, 0xff) }],
  [11, { u16: 0xffff }],
  [12, { u16: 0xffff }],
  [13, { u16: 0xffff }],
  [14, { u64: biggest }],
  [20, { u64: biggest }],
  [21, { u64: biggest }],
  ...[22, 23, 24, 29, 30, 31, 32, 33, 34].map((type) => [type, { u32: 0xffff_ffff }] as const),
  ...[25, 28].map((type) => [type, { u16: 0xffff }] as const),
  ...[26, 27, 35, 36].map((type) => [type, { u8: 0xff }] as const),
] as const;

describe('the rows that C++ makes', () => {
  test('of a snapshot have exactly the fields and types that TypeScript says', async () => {
    using tree = hostWithEverything();
    await withNativeHost(tree, async (native) => {
      const row = await native.snapshot(1000);
      expect(snapshot.parse(row)).toEqual(row);
      for (const list of [row.managementDevices, row.vdpaDevices, row.busDevices]) {
        expect(list.length).toBeGreaterThan(3);
      }
      // Of every nullable field both kinds have been through the schema.
      const sides = (values: readonly unknown[]) => new Set(values.map((value) => value === null));
      for (const key of pciFunction.keyof().options) {
        const nullable = pciFunction.shape[key].safeParse(null).success;
        expect([key, sides(row.pciFunctions.map((f) => f[key])).size]).toEqual([
          key,
          nullable ? 2 : 1,
        ]);
      }
      expect(sides(row.managementDevices.map((d) => d.maxVqs)).size).toBe(2);
      expect(sides(row.vdpaDevices.map((d) => d.minVqSize)).size).toBe(2);
      expect(sides(row.busDevices.map((d) => d.charDeviceName)).size).toBe(2);
      expect(sides(row.scalableFunctions.map((f) => f.sfNumber)).size).toBe(2);
    });
  });

  test('of a configuration have every field at its largest, and null for none', async () => {
    using tree = hostWithEverything();
    tree.netlink.config('vdpa0', everyAttribute);
    tree.netlink.config('vdpa1', []);
    await withNativeHost(tree, async (native) => {
      const full = await native.deviceConfig('vdpa0', 1000);
      const empty = await native.deviceConfig('vdpa1', 1000);
      expect(deviceConfig.parse(full)).toEqual(full);
      expect(deviceConfig.parse(empty)).toEqual(empty);
      expect(Object.values(full)).not.toContain(null);
      expect(Object.values(empty).filter((value) => value !== null)).toEqual(['vdpa1', 0]);
      expect(full.capacitySectors).toBe(biggest);
      expect(full.mac).toBe('ff:ff:ff:ff:ff:ff');
    });
  });

  test('of statistics are names with their values', async () => {
    using tree = hostWithEverything();
    tree.netlink.vendorStats('vdpa0', 0xffff_ffff, [
      [5, { u32: 1 }],
      [12, { u16: 1 }],
      [14, { u64: biggest }],
      [18, { text: 'received_desc' }],
      [19, { u64: biggest }],
    ]);
    await withNativeHost(tree, async (native) => {
      const row = await native.vendorStats('vdpa0', 0xffff_ffff, 1000);
      expect(vendorStats.parse(row)).toEqual(row);
      expect(row.counters).toEqual([{ name: 'received_desc', value: biggest }]);
    });
  });

  test("keep a driver's order, whatever its names, and a name it has twice", async () => {
    const counter = fc.record({
      name: fc.oneof(
        fc.constantFrom('received_desc', '__proto__', '1', ''),
        fc.string({ unit: 'binary', maxLength: 60 }).filter((name) => !name.includes('\0')),
      ),
      value: fc.oneof(fc.constant(biggest), fc.bigInt({ min: 0n, max: biggest })),
    });
    using tree = hostWithEverything();
    await withNativeHost(tree, async (native) => {
      await fc.assert(
        fc.asyncProperty(fc.array(counter, { maxLength: 200 }), async (counters) => {
          tree.netlink.vendorStats(
            'vdpa0',
            1,
            counters.flatMap(({ name, value }) => [
              [18, { text: name }] as const,
              [19, { u64: value }] as const,
            ]),
          );
          expect((await native.vendorStats('vdpa0', 1, 1000)).counters).toEqual(counters);
        }),
      );
    });
  });

  test('of a resolution have a char device or none', async () => {
    using tree = hostWithEverything();
    await withNativeHost(tree, async (native) => {
      const found = native.resolve(0, '0000:65:00.1', '', 0, 0);
      const none = native.resolve(2, 'nothing', '', 0, 0);
      expect(resolved.parse(found)).toEqual(found);
      expect(resolved.parse(none)).toEqual(none);
      expect([found.charDeviceName, none.charDeviceName]).toEqual(['vhost-vdpa-0', null]);
    });
  });

  test('of a resolution with two devices at one place hold both names', async () => {
    using tree = hostWithEverything();
    tree.vdpa('vdpa9', tree.pciPath('0000:65:00.1'));
    await withNativeHost(tree, async (native) => {
      expect(native.resolve(0, '0000:65:00.1', '', 0, 0)).toEqual({
        outcome: 7,
        vdpaName: 'vdpa0, vdpa9',
        driver: '',
        charDeviceName: null,
        major: 0,
        minor: 0,
      });
    });
  });

  test('of a driver override are its text, or null', async () => {
    using tree = hostWithEverything();
    tree.file(`sys/devices/${tree.pciPath('0000:65:00.1')}/driver_override`, 'vfio-pci\n');
    await withNativeHost(tree, async (native) => {
      expect(await native.driverOverride('0000:65:00.1', 1000)).toBe('vfio-pci');
      expect(await native.driverOverride('0000:65:00.2', 1000)).toBeNull();
      await expect(native.driverOverride('0000:99:00.1', 1000)).rejects.toMatchObject({
        errno: 'ENOENT',
      });
    });
  });

  test('of lists are the same as in the snapshot', async () => {
    using tree = hostWithEverything();
    await withNativeHost(tree, async (native) => {
      const row = await native.snapshot(1000);
      const { managementDevices, vdpaDevices } = await native.familyLists(1000);
      // Only a snapshot looks at where a device is, and orders them.
      expect(managementDevices).toEqual(
        expect.arrayContaining(row.managementDevices.map((d) => ({ ...d, pciAddress: '' }))),
      );
      expect(managementDevices).toHaveLength(row.managementDevices.length);
      expect(vdpaDevices).toEqual(row.vdpaDevices);
    });
    expect(schemasAreTheTypes).not.toContain(false);
  });
});
