import type { HostCell } from '../host/host-cells.js';
import type { DeviceRequest, RequestSpec } from '../policy/device-request.js';
import type { Pool } from './pool.js';

/** What a pool's nearness to the guest is judged by. */
export interface NumaView {
  /** The guest's nodes; null or empty when it has no topology: then every pool is near. */
  readonly guest: readonly number[] | null;
  /** The host's nodes; null when they are not known. */
  readonly host: readonly HostCell[] | null;
}

/** Keys that are about placement and say nothing of the device. */
const notCompared: ReadonlySet<string> = new Set(['resource_class', 'traits', 'rp_uuids']);

/** Tells whether devices of a pool are what was asked for, wherever they stand. */
export function askedFor({ spec }: DeviceRequest): (pool: Pool) => boolean {
  // Nobody gets a whole PF, or tears a vDPA device down, without having said so.
  const pf = asks(spec, 'dev_type', 'type-pf');
  const vdpa = asks(spec, 'dev_type', 'vdpa');
  const remoteManaged = asks(spec, 'remote_managed', 'true');
  const alternatives = spec.map(compared);
  return (pool) => {
    const type = pool.value('dev_type');
    if ((type === 'type-pf' && !pf) || (type === 'vdpa' && !vdpa)) return false;
    if (!remoteManaged && pool.value('remote_managed') === 'true') return false;
    return alternatives.some((wanted) =>
      wanted.every(({ key, value }) => pool.value(key) === value),
    );
  };
}

function asks(spec: readonly RequestSpec[], key: string, value: string): boolean {
  return spec.some((one) => one[key]?.toLowerCase() === value);
}

interface Compared {
  readonly key: string;
  /** Undefined: the pool must have none. */
  readonly value: string | undefined;
}

function compared(spec: RequestSpec): Compared[] {
  return Object.entries(spec)
    .filter(([key]) => !notCompared.has(key))
    .map(([key, value]) => ({ key, value: value?.toLowerCase() }));
}

/**
 * Which of the pools are near enough, in the order of preference. What lies on the guest's own nodes
 * comes first, and alone when it is enough.
 *
 * @param pools those that were asked for, in their own order
 * @param needed how many devices
 * @param left how many devices of a pool are still to be had
 */
export function inReach(
  pools: readonly Pool[],
  request: DeviceRequest,
  needed: number,
  numa: NumaView,
  left: (pool: Pool) => number,
): readonly Pool[] {
  const guest = numa.guest ?? [];
  if (guest.length === 0) return pools;
  const isOn = (pool: Pool): boolean => guest.some((node) => node === pool.keys['numa_node']);
  const hasNoNode = (pool: Pool): boolean => pool.keys['numa_node'] === null;
  const enough = (some: readonly Pool[]): boolean =>
    some.reduce((sum, pool) => sum + left(pool), 0) >= needed;

  const near = pools.filter(isOn);
  if (enough(near)) return near;
  const policy = request.numaPolicy ?? 'legacy';
  if (policy === 'required') return near;
  if (policy === 'socket') {
    const nodes = sameSockets(guest, numa.host);
    return pools.filter((pool) => nodes.has(pool.keys['numa_node']));
  }
  const acceptable = pools.filter((pool) => isOn(pool) || hasNoNode(pool));
  if (policy === 'legacy' || enough(acceptable)) return acceptable;
  return [...acceptable, ...pools.filter((pool) => !acceptable.includes(pool))];
}

/** Whether the pool would do if nothing nearer were left. */
export function isInReach(pool: Pool, request: DeviceRequest, numa: NumaView): boolean {
  const guest = numa.guest ?? [];
  const node = pool.keys['numa_node'];
  if (guest.length === 0 || guest.some((cell) => cell === node)) return true;
  switch (request.numaPolicy ?? 'legacy') {
    case 'required':
      return false;
    case 'socket':
      return sameSockets(guest, numa.host).has(node);
    case 'legacy':
      return node === null;
    case 'preferred':
      return true;
  }
}

/** The host's nodes on the sockets of the guest's; none when a node's socket is not known. */
function sameSockets(
  guest: readonly number[],
  host: readonly HostCell[] | null,
): ReadonlySet<string | number | null | undefined> {
  if (host === null || host.some(({ socket }) => socket === null)) return new Set();
  const sockets = new Set(host.filter(({ id }) => guest.includes(id)).map(({ socket }) => socket));
  return new Set(host.filter(({ socket }) => sockets.has(socket)).map(({ id }) => id));
}
