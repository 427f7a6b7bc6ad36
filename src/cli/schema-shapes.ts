import { z } from 'zod';
import type { UnusableReason } from '../index.js';
import { reasonTexts } from './view/device-state.js';

// What the documents of src/cli/schema.ts are made of.
//
// Lists that a kernel or a later version may extend (classes, drivers, codes) are strings.

export const address = z
  .string()
  .regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/)
  .meta({ description: 'PCI address, lower case, with its domain' });
export const hexMask = z
  .string()
  .regex(/^0x[0-9a-f]{1,16}$/)
  .meta({ description: '64-bit mask in hexadecimal' });
export const count = z.int().min(0);
const hexId = z.string().regex(/^[0-9a-f]+$/);
export const strings = z.array(z.string());
const reasons = Object.keys(reasonTexts) as [UnusableReason, ...UnusableReason[]];

export const charDevice = z.strictObject({
  path: z.string().startsWith('/dev/').meta({ description: 'recycled: names no device for long' }),
  major: count,
  minor: count,
  nodeExists: z.boolean(),
});

const parent = z.strictObject({
  kind: z.enum(['vf', 'pf', 'pci', 'sf', 'simulator', 'vduse', 'other']),
  path: z.string().meta({ description: 'below /sys/devices; empty for software' }),
  pciAddress: address.nullable(),
  pfAddress: address.nullable(),
  vfIndex: count.nullable(),
  sfNumber: count.nullable(),
  numaNode: count.nullable(),
});

export const deviceShape = {
  id: z.string().meta({ description: "the parent's handle: survives re-creation of the device" }),
  name: z.string(),
  class: z.string().nullable().meta({ description: 'net, block or virtio-N' }),
  vendorId: hexId.nullable(),
  maxVqs: count.nullable(),
  maxVqSize: count.nullable(),
  minVqSize: count.nullable(),
  managementDevice: z.string().nullable(),
  parent,
  driver: z.string().nullable(),
  charDevice: charDevice.nullable(),
  usable: z.boolean().meta({ description: 'exactly when reasons is empty' }),
  reasons: z.array(z.enum(reasons)),
};
export const device = z.strictObject(deviceShape).meta({ id: 'Device' });

const netdev = z.strictObject({
  name: z.string(),
  ifindex: count,
  mac: z.string().nullable(),
  physSwitchId: z.string().nullable(),
  physPortName: z.string().nullable(),
});

const pciShape = {
  address,
  vendorId: hexId,
  deviceId: hexId,
  subsystemVendorId: hexId,
  subsystemDeviceId: hexId,
  pciClass: hexId,
  revision: count.nullable(),
  driver: z.string().nullable(),
  numaNode: count.nullable(),
  iommuGroup: count.nullable(),
  netdevs: z.array(netdev),
};
const vfShape = { pfAddress: address, vfIndex: count.nullable(), representor: netdev.nullable() };
const pfShape = { totalVfs: count, numVfs: count };

/** Functions by themselves. */
export const pci = z.strictObject(pciShape).meta({ id: 'Pci' });
export const vf = z.strictObject({ ...pciShape, ...vfShape }).meta({ id: 'Vf' });
export const pf = z.strictObject({ ...pciShape, ...pfShape }).meta({ id: 'Pf' });

/** Functions with what stands on them. */
const functionShape = { ...pciShape, devices: z.array(device) };

export const virtualFunction = z
  .strictObject({
    type: z.literal('vf'),
    ...functionShape,
    ...vfShape,
  })
  .meta({ id: 'VirtualFunction' });

const scalableFunctions = z.array(
  z.strictObject({ sfNumber: count.nullable(), devices: z.array(device) }),
);

export const physicalFunction = z
  .strictObject({
    type: z.literal('pf'),
    ...functionShape,
    ...pfShape,
    vfs: z.array(virtualFunction),
    scalableFunctions,
  })
  .meta({ id: 'PhysicalFunction' });

export const otherFunction = z
  .strictObject({ type: z.literal('other'), ...functionShape, scalableFunctions })
  .meta({ id: 'OtherFunction' });

export const managementDevice = z
  .strictObject({
    handle: z.string(),
    bus: z.string().nullable(),
    name: z.string(),
    pciAddress: z.string().nullable(),
    sfNumber: count.nullable(),
    classes: strings,
    maxVqs: count.nullable(),
    features: hexMask.nullable(),
    featureNames: strings,
  })
  .meta({ id: 'ManagementDevice' });

export const health = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    driver: z.enum(['ok', 'none', 'failed']),
    node: z.enum(['ok', 'missing', 'mismatch']).nullable(),
    link: z
      .enum(['up', 'down', 'no-answer'])
      .nullable()
      .meta({ description: 'null for what has no link, or does not tell' }),
    healthy: z.boolean(),
  })
  .meta({ id: 'Health' });

export const error = z
  .strictObject({
    code: z.string().meta({ description: 'a code of docs/errors.md, USAGE or UNEXPECTED' }),
    message: z.string(),
    errno: z.string().optional(),
    extack: z.string().optional().meta({ description: "the kernel's own words" }),
    attributeOffset: count
      .optional()
      .meta({ description: 'where in the request the attribute stands that was refused' }),
    step: z.string().optional(),
    retry: z.enum(['never', 'later', 'after-fix']),
    outcome: z.enum(['unchanged', 'undone', 'partial', 'unknown']),
    leftovers: strings.optional(),
  })
  .meta({ id: 'Error' });

/** What `show` asks of each function by itself. */
export const overrideShape = {
  driverOverride: z.string().nullable(),
  driverOverrideError: error.nullable(),
};

const netConfig = z.strictObject({
  mac: z.string().nullable(),
  mtu: count.nullable(),
  maxVqPairs: count.nullable().meta({ description: 'null without multiqueue, which means one' }),
  link: z.enum(['up', 'down']).nullable(),
  announce: z.boolean().nullable(),
});

const blockConfig = z.strictObject({
  capacitySectors: z
    .string()
    .regex(/^\d+$/)
    .nullable()
    .meta({ description: 'sectors of 512 bytes, decimal; a string because it has 64 bits' }),
  blockSize: count.nullable(),
  sizeMax: count.nullable(),
  segMax: count.nullable(),
  numQueues: count.nullable(),
  physicalBlockExp: count.nullable(),
  alignmentOffset: count.nullable(),
  minIoSize: count.nullable(),
  optIoSize: count.nullable(),
  maxDiscardSectors: count.nullable(),
  maxDiscardSeg: count.nullable(),
  discardSectorAlignment: count.nullable(),
  maxWriteZeroesSectors: count.nullable(),
  maxWriteZeroesSeg: count.nullable(),
  readOnly: z.boolean().nullable(),
  flush: z.boolean().nullable(),
});

export const deviceConfig = z.strictObject({
  name: z.string(),
  class: z.string(),
  features: hexMask.nullable(),
  featureNames: strings,
  negotiatedFeatures: hexMask.nullable(),
  negotiatedFeatureNames: strings,
  net: netConfig.nullable(),
  block: blockConfig.nullable(),
});
