import type { DeviceId } from '../host/device-id.js';
import type { DeviceRequest } from '../policy/device-request.js';
import type { DeviceRecord } from './device-record.js';
import { bestDistribution } from './distribution.js';
import type { Pool } from './pool.js';
import { askedFor, inReach, isInReach, type NumaView } from './pool-filter.js';

/** A device for a request. */
export interface Assigned {
  readonly request: DeviceRequest;
  readonly record: DeviceRecord;
}

/** Devices that may be had. */
interface DevicesOnOffer {
  /** In the order in which they are used. */
  readonly pools: readonly Pool[];
  /** The device's pool; undefined when it is not to be had. */
  poolOf(id: DeviceId): Pool | undefined;
  record(id: DeviceId): DeviceRecord | undefined;
}

/** Where devices are looked for. */
export interface Offer {
  readonly devices: DevicesOnOffer;
  readonly numa: NumaView;
}

/**
 * Devices for all of the requests, or null when there is no way to serve them together. The choice
 * is a function of the offer alone. Each request takes from the pools that suit it best; only when
 * that leaves one without, all ways are searched.
 */
export function assign(requests: readonly DeviceRequest[], offer: Offer): Assigned[] | null {
  const taking = new Taking(offer);
  for (const request of requests) {
    for (const id of request.deviceIds ?? []) if (!taking.takeNamed(request, id)) return null;
  }
  const shares = greedyShares(requests, offer, taking) ?? searchedShares(requests, offer, taking);
  if (shares === null) return null;
  const assigned: Assigned[] = [];
  for (const [index, request] of requests.entries()) {
    assigned.push(...taking.named(request));
    taking.draw(request, shares[index] ?? [], assigned);
  }
  return assigned;
}

/** How many devices of a pool. */
interface Share {
  readonly pool: Pool;
  readonly count: number;
}

/** What the requests have taken of the pools so far. */
class Taking {
  readonly #offer: Offer;
  readonly #named = new Map<DeviceId, Assigned>();
  readonly #namedOf = new Map<Pool, number>();
  readonly #drawn = new Map<Pool, number>();

  constructor(offer: Offer) {
    this.#offer = offer;
  }

  /** Takes the very device; false when it is not to be had, or not what was asked for. */
  takeNamed(request: DeviceRequest, id: DeviceId): boolean {
    const pool = this.#offer.devices.poolOf(id);
    const record = this.#offer.devices.record(id);
    if (pool === undefined || record === undefined || this.#named.has(id)) return false;
    if (!askedFor(request)(pool) || !isInReach(pool, request, this.#offer.numa)) return false;
    for (const other of this.#namedOf.keys()) if (exclude(pool, other)) return false;
    this.#named.set(id, { request, record });
    add(this.#namedOf, pool, 1);
    return true;
  }

  named(request: DeviceRequest): Assigned[] {
    if (this.#named.size === 0) return [];
    return [...this.#named.values()].filter((assigned) => assigned.request === request);
  }

  /** How many of the pool's devices are left, beside those that were named and the shares. */
  left(pool: Pool, shares: readonly Share[]): number {
    for (const other of this.#namedOf.keys()) if (exclude(pool, other)) return 0;
    let left = pool.count - (this.#namedOf.get(pool) ?? 0);
    for (const share of shares) {
      if (share.pool === pool) left -= share.count;
      else if (exclude(pool, share.pool)) return 0;
    }
    return left;
  }

  /** Adds the devices of the shares, each from where the one before has left off. */
  draw(request: DeviceRequest, shares: readonly Share[], assigned: Assigned[]): void {
    for (const { pool, count } of shares) {
      let place = this.#drawn.get(pool) ?? 0;
      for (let taken = 0; taken < count; place++) {
        const record = pool.devices[place];
        if (record === undefined) throw new Error(`pool ${pool.signature} has too few devices`);
        if (this.#named.has(record.device.id)) continue;
        assigned.push({ request, record });
        taken++;
      }
      this.#drawn.set(pool, place);
    }
  }
}

/** Whether taking of the one leaves none of the other: a PF and what lies below it. */
export function exclude(a: Pool, b: Pool): boolean {
  return a.isPf !== b.isPf && a.address === b.address && a.address !== null;
}

const unnamed = ({ count, deviceIds }: DeviceRequest): number => count - (deviceIds?.length ?? 0);

function greedyShares(
  requests: readonly DeviceRequest[],
  offer: Offer,
  taking: Taking,
): Share[][] | null {
  const all: Share[] = [];
  const shares: Share[][] = [];
  for (const request of requests) {
    const own: Share[] = [];
    let needed = unnamed(request);
    if (needed > 0) {
      const left = (pool: Pool): number => taking.left(pool, all);
      const isAskedFor = askedFor(request);
      const asked = offer.devices.pools.filter((pool) => isAskedFor(pool) && left(pool) > 0);
      for (const pool of inReach(asked, request, needed, offer.numa, left)) {
        const count = Math.min(needed, left(pool));
        if (count === 0) continue;
        const share = { pool, count };
        own.push(share);
        all.push(share);
        needed -= count;
        if (needed === 0) break;
      }
    }
    if (needed > 0) return null;
    shares.push(own);
  }
  return shares;
}

function searchedShares(
  requests: readonly DeviceRequest[],
  offer: Offer,
  taking: Taking,
): Share[][] | null {
  const pools = offer.devices.pools.filter((pool) => taking.left(pool, []) > 0);
  const distribution = bestDistribution(
    requests.map((request) => {
      const isAskedFor = askedFor(request);
      return {
        needed: unnamed(request),
        accepts: pools.map((pool) => isAskedFor(pool) && isInReach(pool, request, offer.numa)),
      };
    }),
    pools.map((pool) => ({
      count: taking.left(pool, []),
      address: pool.address,
      isPf: pool.isPf,
    })),
  );
  return (
    distribution?.map((counts) =>
      pools.flatMap((pool, index) => {
        const count = counts[index] ?? 0;
        return count === 0 ? [] : [{ pool, count }];
      }),
    ) ?? null
  );
}

function add<K>(counts: Map<K, number>, key: K, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}
