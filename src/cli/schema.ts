import { z } from 'zod';
import { declarationForm } from '../host/provision-declaration.js';
import type { UnusableReason } from '../index.js';
import { type DocumentKind, schemaVersion } from './documents/document.js';
import { reasonTexts } from './view/device-state.js';

// The contract of `--json`, and of the declarations that are read. No run of the command loads this file: it is for those who check
// documents, and the source of docs/schema/*.json.
//
// Lists that a kernel or a later version may extend (classes, drivers, codes) are strings.

const address = z
  .string()
  .regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/)
  .meta({ description: 'PCI address, lower case, with its domain' });
const hexMask = z
  .string()
  .regex(/^0x[0-9a-f]{1,16}$/)
  .meta({ description: '64-bit mask in hexadecimal' });
const count = z.int().min(0);
const hexId = z.string().regex(/^[0-9a-f]+$/);
const strings = z.array(z.string());
const reasons = Object.keys(reasonTexts) as [UnusableReason, ...UnusableReason[]];

const charDevice = z.strictObject({
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

const deviceShape = {
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
const device = z.strictObject(deviceShape).meta({ id: 'Device' });

const netdev = z.strictObject({
  name: z.string(),
  ifindex: count,
  mac: z.string().nullable(),
  physSwitchId: z.string().nullable(),
  physPortName: z.string().nullable(),
});

const functionShape = {
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
  devices: z.array(device),
};

const virtualFunction = z
  .strictObject({
    type: z.literal('vf'),
    ...functionShape,
    pfAddress: address,
    vfIndex: count.nullable(),
    representor: netdev.nullable(),
  })
  .meta({ id: 'VirtualFunction' });

const physicalFunction = z
  .strictObject({
    type: z.literal('pf'),
    ...functionShape,
    totalVfs: count,
    numVfs: count,
    vfs: z.array(virtualFunction),
    scalableFunctions: z.array(
      z.strictObject({ sfNumber: count.nullable(), devices: z.array(device) }),
    ),
  })
  .meta({ id: 'PhysicalFunction' });

const otherFunction = z
  .strictObject({ type: z.literal('other'), ...functionShape })
  .meta({ id: 'OtherFunction' });

const managementDevice = z
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

const error = z
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
const overrideShape = {
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

const deviceConfig = z.strictObject({
  name: z.string(),
  class: z.string(),
  features: hexMask.nullable(),
  featureNames: strings,
  negotiatedFeatures: hexMask.nullable(),
  negotiatedFeatureNames: strings,
  net: netConfig.nullable(),
  block: blockConfig.nullable(),
});

const head = <Kind extends DocumentKind>(kind: Kind) => ({
  schemaVersion: z.literal(schemaVersion),
  kind: z.literal(kind),
});
const consistent = z
  .boolean()
  .meta({ description: 'false when the host kept changing while it was read' });

/** One schema per kind of document. */
export const documentSchemas = {
  list: z.strictObject({ ...head('list'), consistent, devices: z.array(device) }),
  tree: z.strictObject({
    ...head('tree'),
    consistent,
    abi: z
      .strictObject({ maxAttribute: count, commands: z.array(count) })
      .nullable()
      .meta({ description: 'null without the vdpa netlink family' }),
    summary: z.strictObject({ devices: count, usable: count, unusable: count }),
    numaNodes: z.array(
      z.strictObject({
        numaNode: count.nullable(),
        pfs: z.array(physicalFunction),
        others: z.array(z.discriminatedUnion('type', [virtualFunction, otherFunction])),
      }),
    ),
    software: z.array(
      z.strictObject({
        kind: z.enum(['simulator', 'vduse', 'other']),
        managementDevice: z.string().nullable(),
        devices: z.array(device),
      }),
    ),
    unplaced: z.array(device).meta({ description: 'their parent is not in the inventory' }),
    managementDevices: z.array(managementDevice),
  }),
  show: z.strictObject({
    ...head('show'),
    query: z.string(),
    devices: z.array(
      z.strictObject({
        ...deviceShape,
        config: deviceConfig.nullable(),
        configError: error.nullable(),
      }),
    ),
    functions: z.array(
      z.discriminatedUnion('type', [
        physicalFunction.extend(overrideShape),
        virtualFunction.extend(overrideShape),
        otherFunction.extend(overrideShape),
      ]),
    ),
    managementDevices: z.array(managementDevice),
  }),
  doctor: z.strictObject({
    ...head('doctor'),
    healthy: z.boolean().meta({ description: 'no finding is an error' }),
    findings: z.array(
      z.strictObject({
        code: z.string(),
        severity: z.enum(['ok', 'warning', 'error']),
        message: z.string(),
        cure: z.string().nullable(),
      }),
    ),
  }),
  create: z.strictObject({
    ...head('create'),
    id: z.string(),
    name: z.string(),
    charDevice,
  }),
  delete: z.strictObject({ ...head('delete'), name: z.string() }),
  'set-mac': z.strictObject({ ...head('set-mac'), name: z.string(), mac: z.string() }),
  bind: z.strictObject({
    ...head('bind'),
    name: z.string(),
    driver: z.string().nullable(),
    charDevice: charDevice.nullable().meta({ description: 'of vhost_vdpa only' }),
  }),
  vfs: z.strictObject({
    ...head('vfs'),
    pf: address,
    vfs: z.array(address).meta({ description: 'those that it has now' }),
  }),
  provision: z.strictObject({
    ...head('provision'),
    check: z.boolean().meta({ description: 'nothing was changed' }),
    steps: z
      .array(
        z.strictObject({
          action: z.enum(['set-vfs', 'create', 'recreate', 'set-mac', 'bind', 'set-node']),
          pf: address,
          vf: count.nullable(),
          device: z.string().nullable().meta({ description: 'its name before the step' }),
          text: z.string(),
        }),
      )
      .meta({ description: 'done; with check, to be done' }),
    obstacles: z
      .array(z.strictObject({ pf: address.nullable(), vf: count.nullable(), text: z.string() }))
      .meta({ description: 'what cannot be brought about as the host stands' }),
    nodes: z
      .array(
        z.strictObject({
          pciAddress: address,
          uid: count.nullable(),
          gid: count.nullable(),
          mode: count.nullable(),
        }),
      )
      .meta({ description: "whom the VFs' nodes are to belong to" }),
  }),
  error: z.strictObject({ ...head('error'), error }),
} satisfies Record<DocumentKind, z.ZodType>;

/** The schema as a file of docs/schema: JSON Schema, draft 2020-12. */
export function jsonSchemaText(kind: DocumentKind | 'declaration'): string {
  const schema =
    kind === 'declaration'
      ? declarationForm.meta({ title: 'vdpa-host provision: declaration' })
      : documentSchemas[kind].meta({ title: `vdpa-host --json: ${kind}` });
  const json = z.toJSONSchema(schema, { target: 'draft-2020-12' });
  return `${JSON.stringify(json, null, 2)}\n`;
}
