import type { DeviceId } from '../host/device-id.js';
import type { ClaimId } from '../tracker/claim.js';
import type { GuestInterface } from './guest-interface.js';
import { type InterfaceName, isInterfaceName, namedInterface } from './interface-name.js';
import { QmpRefusal } from './qmp-connection.js';
import { isObject, type JsonObject, objectsIn, unreadable } from './qmp-message.js';

/** Asks the monitor. */
export type Ask = (command: string, given?: JsonObject) => Promise<unknown>;

/** A char device that QEMU was given for an interface of ours. */
export interface GivenNode {
  readonly name: InterfaceName;
  readonly fdset: number;
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

/** Where QEMU has the devices that were given an id. */
const peripherals = '/machine/peripheral';
/** Each has room for one device, which can come and go. */
const portTypes: ReadonlySet<string> = new Set(['pcie-root-port', 'ioh3420', 'xio3130-downstream']);

/** What an fdset of ours says of its char device: nobody else keeps a record of it. */
export function opaqueOf({ name, path, major, minor }: Omit<GivenNode, 'fdset'>): string {
  return `${name} ${major}:${minor} ${path}`;
}

/** The char devices that QEMU was given for interfaces of ours. */
export async function givenNodes(ask: Ask): Promise<GivenNode[]> {
  const sets = objectsIn(await ask('query-fdsets'), 'the list of fdsets');
  return sets.flatMap((set) => {
    const fdset = set['fdset-id'];
    if (typeof fdset !== 'number') throw unreadable('an fdset has no number');
    return objectsIn(set['fds'], 'the list of an fdset').flatMap(({ opaque }): GivenNode[] => {
      const [, name, major, minor, path] = /^(\S+) (\d+):(\d+) (.+)$/s.exec(String(opaque)) ?? [];
      if (!isInterfaceName(name) || path === undefined) return [];
      return [{ name, fdset, path, major: Number(major), minor: Number(minor) }];
    });
  });
}

/** The types of the devices that have an id, by that id. */
export async function devicesById(ask: Ask): Promise<Map<string, string>> {
  const children = objectsIn(await ask('qom-list', { path: peripherals }), 'the list of devices');
  const types = new Map<string, string>();
  for (const { name, type } of children) {
    const [, of] = /^child<(.+)>$/.exec(String(type)) ?? [];
    if (typeof name === 'string' && of !== undefined) types.set(name, of);
  }
  return types;
}

/**
 * The id of the first port that takes a device now, which is the name of its bus too; null when there is
 * none. One question after the other: QEMU takes longer over several at once.
 */
export async function freePort(ask: Ask): Promise<string | null> {
  const ports = [...(await devicesById(ask))].flatMap(([id, type]) =>
    portTypes.has(type) ? [id] : [],
  );
  for (const port of ports.toSorted(inNumericOrder)) if (await isFree(ask, port)) return port;
  return null;
}

const inNumericOrder = new Intl.Collator('en', { numeric: true }).compare;

/** By QOM, which knows of devices also before a firmware has numbered the buses. */
async function isFree(ask: Ask, port: string): Promise<boolean> {
  const children = await ask('qom-list', { path: `${peripherals}/${port}/${port}` });
  const taken = objectsIn(children, 'the list of a bus').some(({ name }) =>
    String(name).startsWith('child['),
  );
  // Absent before QEMU 5.0, where every port takes devices.
  return !taken && (await property(ask, port, 'hotplug')) !== false;
}

/** A property of a device; null when it has none of that name, or is no longer there. */
export async function property(ask: Ask, id: string, name: string): Promise<unknown> {
  try {
    return await ask('qom-get', { path: `${peripherals}/${id}`, property: name });
  } catch (error) {
    if (error instanceof QmpRefusal) return null;
    throw error;
  }
}

/** Whether this QEMU has been built with netdevs of vhost-vdpa, by its own description of QMP. */
export async function knowsVhostVdpa(ask: Ask): Promise<boolean> {
  const entities = objectsIn(await ask('query-qmp-schema'), 'the schema');
  return entities.some(
    (entity) =>
      entity['meta-type'] === 'enum' &&
      Array.isArray(entity['values']) &&
      entity['values'].includes('vhost-vdpa'),
  );
}

/** Bytes of the guest's memory, plugged ones included. */
export async function guestMemory(ask: Ask): Promise<number> {
  const summary = await ask('query-memory-size-summary');
  const base = isObject(summary) ? summary['base-memory'] : undefined;
  const plugged = isObject(summary) ? (summary['plugged-memory'] ?? 0) : undefined;
  if (typeof base !== 'number' || typeof plugged !== 'number') {
    throw unreadable('the size of the memory is no number');
  }
  return base + plugged;
}

/** The interfaces of ours, in order of their names. */
export async function guestInterfaces(ask: Ask): Promise<GuestInterface[]> {
  const nodes = await givenNodes(ask);
  const devices = await devicesById(ask);
  const names = new Set([
    ...nodes.map(({ name }) => name),
    ...[...devices.keys()].filter(isInterfaceName),
  ]);
  const interfaces: GuestInterface[] = [];
  for (const name of [...names].toSorted()) {
    const node = nodes.find((one) => one.name === name);
    const shown = devices.has(name) ? await deviceFacts(ask, name) : absent;
    const known = namedInterface(name);
    interfaces.push({
      name,
      claimId: (known?.claimId ?? null) as ClaimId | null,
      deviceId: (known?.deviceId ?? null) as DeviceId | null,
      charDevice: node?.path ?? null,
      ...shown,
    });
  }
  return interfaces;
}

type DeviceFacts = Pick<GuestInterface, 'mac' | 'queuePairs' | 'mtu' | 'state'>;

const absent: DeviceFacts = { mac: null, queuePairs: null, mtu: null, state: 'partial' };

/** Vectors beside those of the data queues: control queue and configuration. */
export const otherVectors = 2;

async function deviceFacts(ask: Ask, name: InterfaceName): Promise<DeviceFacts> {
  const mac = await property(ask, name, 'mac');
  const vectors = await property(ask, name, 'vectors');
  const mtu = await property(ask, name, 'host_mtu');
  const netdev = await property(ask, name, 'netdev');
  // It went while it was asked.
  if (netdev === null) return absent;
  return {
    mac: typeof mac === 'string' ? mac.toLowerCase() : null,
    queuePairs: typeof vectors === 'number' ? Math.max(1, (vectors - otherVectors) / 2) : null,
    mtu: typeof mtu === 'number' && mtu > 0 ? mtu : null,
    state: 'attached',
  };
}
