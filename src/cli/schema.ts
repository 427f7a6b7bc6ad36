import { z } from 'zod';
import { declarationForm } from '../host/provision-declaration.js';
import { type DocumentKind, schemaVersion } from './documents/document.js';
import {
  address,
  charDevice,
  count,
  device,
  deviceConfig,
  deviceShape,
  error,
  health,
  hexMask,
  managementDevice,
  otherFunction,
  overrideShape,
  pci,
  pf,
  physicalFunction,
  strings,
  vf,
  virtualFunction,
} from './schema-shapes.js';

// The contract of `--json`, and of the declarations that are read. No run of the command loads this
// file: it is for those who check
// documents, and the source of docs/schema/*.json.

const head = <Kind extends DocumentKind>(kind: Kind) => ({
  schemaVersion: z.literal(schemaVersion),
  kind: z.literal(kind),
});
const consistent = z
  .boolean()
  .meta({ description: 'false when the host kept changing while it was read' });
const abi = z
  .strictObject({ maxAttribute: count, commands: z.array(count) })
  .nullable()
  .meta({ description: 'null without the vdpa netlink family' });
const instant = z.iso.datetime();
const time = instant.meta({ description: 'when it was printed, UTC' });

const changes = strings.meta({ description: 'keys whose values differ' });
const event = z.discriminatedUnion('type', [
  z.strictObject({ type: z.enum(['added', 'removed', 'ready', 'unready']), device }),
  z.strictObject({ type: z.literal('changed'), device, before: device, changes }),
  z.strictObject({ type: z.literal('health'), device, health, before: health.nullable() }),
  z.strictObject({ type: z.enum(['pfAdded', 'pfRemoved']), pf }),
  z.strictObject({ type: z.literal('pfChanged'), pf, before: pf, changes }),
  z.strictObject({ type: z.enum(['vfAdded', 'vfRemoved']), vf }),
  z.strictObject({ type: z.literal('vfChanged'), vf, before: vf, changes }),
  z.strictObject({
    type: z.literal('otherFunction'),
    function: pci.nullable(),
    before: pci.nullable(),
  }),
  z.strictObject({
    type: z.literal('managementDevice'),
    managementDevice: managementDevice.nullable(),
    before: managementDevice.nullable(),
  }),
  z.strictObject({ type: z.literal('resync'), reason: z.enum(['events-lost', 'consumer-slow']) }),
  z.strictObject({ type: z.literal('stale'), error }),
]);

const guestInterface = z
  .strictObject({
    name: z.string(),
    claimId: z.string().nullable(),
    deviceId: z.string().nullable(),
    charDevice: z.string().nullable(),
    mac: z.string().nullable(),
    queuePairs: count.nullable(),
    mtu: count.nullable(),
    state: z.enum(['attached', 'partial']),
  })
  .meta({ id: 'GuestInterface' });

const claim = z
  .strictObject({
    id: z.string(),
    fence: count.meta({ description: 'greater than that of every claim before it' }),
    instance: z.string(),
    migration: z.string().nullable(),
    status: z.enum(['claimed', 'allocated']),
    numaCells: z.array(count).nullable(),
    guest: z.string().nullable().meta({ description: 'the guest that has its devices, or some' }),
    requests: z.array(
      z.strictObject({
        requestId: z.string(),
        count,
        portId: z.string().nullable(),
        alias: z.string().nullable(),
        numaPolicy: z.string().nullable(),
        mac: z.string().nullable(),
      }),
    ),
    devices: z.array(
      z.strictObject({
        deviceId: z.string(),
        requestId: z.string(),
        name: z.string().nullable(),
        charDevice: z.string().nullable(),
        vanished: z.boolean().meta({ description: 'the host no longer has it' }),
        settings: z
          .strictObject({ queuePairs: count, mtu: count.nullable() })
          .nullable()
          .meta({ description: 'as its guest was last told; null: it has been in none' }),
      }),
    ),
  })
  .meta({ id: 'Claim' });
const trackerFinding = z.strictObject({
  code: z.string(),
  message: z.string(),
  deviceId: z.string().nullable(),
  claimId: z.string().nullable(),
  healable: z.boolean().meta({ description: "'vdpa-host heal' sets it right" }),
});

/** One schema per kind of document. */
export const documentSchemas = {
  list: z.strictObject({ ...head('list'), consistent, devices: z.array(device) }),
  tree: z.strictObject({
    ...head('tree'),
    consistent,
    abi,
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
    health: z.array(health).nullable().meta({ description: 'null without --health' }),
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
  stats: z.strictObject({
    ...head('stats'),
    name: z.string(),
    queues: z.array(
      z.strictObject({
        queueIndex: count,
        negotiatedFeatures: hexMask.nullable(),
        counters: z.array(
          z.strictObject({
            name: z.string(),
            value: z
              .string()
              .regex(/^\d+$/)
              .meta({ description: 'decimal; a string because it has 64 bits' }),
          }),
        ),
      }),
    ),
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
  capture: z.strictObject({
    ...head('capture'),
    file: z.string().startsWith('/'),
    bytes: count,
    consistent,
    devices: count,
    pciFunctions: count,
    managementDevices: count,
    unanswered: strings.meta({ description: 'asked, and got no answer: not in the capture' }),
    withheld: strings.meta({ description: 'read, and not on the list of what a capture may hold' }),
  }),
  inventory: z.strictObject({
    ...head('inventory'),
    time,
    consistent,
    abi,
    pfs: z.array(pf),
    vfs: z.array(vf),
    others: z.array(pci),
    managementDevices: z.array(managementDevice),
    devices: z.array(device),
  }),
  event: z.strictObject({ ...head('event'), time, event }),
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
  pools: z.strictObject({
    ...head('pools'),
    pools: z
      .array(
        z.strictObject({
          keys: z.record(z.string(), z.union([z.string(), z.number(), z.null()])).meta({
            description: 'what its devices have in common, the tags of deviceSpec included',
          }),
          count,
          devices: strings.meta({ description: 'in the order in which they would be taken' }),
        }),
      )
      .meta({ description: 'in the order in which they are used' }),
  }),
  claims: z.strictObject({
    ...head('claims'),
    claims: z.array(claim),
    operations: z
      .array(z.strictObject({ instance: z.string(), kind: z.string(), step: z.string() }))
      .meta({ description: 'what is being done with instances, and how far it has come' }),
  }),
  claim: z.strictObject({ ...head('claim'), claim }),
  release: z.strictObject({
    ...head('release'),
    devices: strings.meta({ description: 'ids of those that were given back' }),
  }),
  attach: z.strictObject({
    ...head('attach'),
    guest: z.string(),
    claims: strings.meta({ description: 'ids of those whose devices it has' }),
    interfaces: z.array(guestInterface),
  }),
  detach: z.strictObject({
    ...head('detach'),
    detached: z.array(
      z.strictObject({
        claim: z.string(),
        guest: z.string().nullable().meta({ description: 'null: it was in none' }),
        devices: strings,
      }),
    ),
    released: z.boolean().meta({ description: 'the devices were given back as well' }),
  }),
  guests: z.strictObject({
    ...head('guests'),
    guests: z.array(
      z.strictObject({
        guest: z
          .string()
          .meta({ description: 'qmp:PATH, libvirt:DOMAIN, or as a program calls it' }),
        claims: strings.meta({
          description: 'ids of those that say that it may have their devices',
        }),
        interfaces: z.array(guestInterface),
        error: z
          .strictObject({ code: z.string(), message: z.string() })
          .nullable()
          .meta({ description: 'why it could not be asked' }),
      }),
    ),
  }),
  audit: z.strictObject({ ...head('audit'), findings: z.array(trackerFinding) }),
  heal: z.strictObject({
    ...head('heal'),
    findings: z.array(trackerFinding).meta({ description: 'what was set right' }),
  }),
  'store-check': z.strictObject({
    ...head('store-check'),
    file: z.string().startsWith('/'),
    sound: z.boolean().meta({ description: 'exactly when faults is empty' }),
    owned: z.boolean().meta({ description: 'a process holds its lock' }),
    owner: z
      .strictObject({ pid: count, command: z.string(), since: instant })
      .nullable()
      .meta({ description: 'null also when the owner cannot be named' }),
    content: z
      .strictObject({
        schema: count,
        epoch: z.string(),
        revision: count,
        fence: count,
        devices: count,
        claims: count,
      })
      .nullable()
      .meta({ description: 'null when the store cannot be read' }),
    faults: z.array(z.strictObject({ message: z.string(), cure: z.string() })),
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
