import type { DeviceId } from '../host/device-id.js';
import type { PoolKeys } from '../policy/pool-keys.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import type { Claim, ClaimId, InstanceId } from './claim.js';
import type { Decision } from './decision.js';
import type { DeviceRecord } from './device-record.js';
import { type DraftBase, pfOf } from './draft.js';
import type { Operation } from './operation.js';
import { placeIn } from './place-in.js';
import { comparePools, Pool, signatureOf } from './pool.js';
import type { StoreState, Versioned } from './store.js';
import { isHeld } from './transitions.js';

/** What the device_spec says of a device. */
export interface Admission {
  /** The keys of its pool; null when no entry admits it. */
  poolKeys(device: ReportedDevice): PoolKeys | null;
}

/** One device's record, with what is derived from it. */
interface Entry {
  stored: Versioned<DeviceRecord>;
  keys: PoolKeys | null;
  signature: string;
  /** Where it is to be had, and the record it is there with. */
  pool: Pool | null;
  pooled: DeviceRecord | null;
  /** How many decisions that gave it back are not durable yet: until then nobody gets it. */
  returning: number;
}

/** The devices below a PF. */
interface Below {
  readonly ids: Set<DeviceId>;
  /** How many of them are not available. */
  unavailable: number;
  /** How many of them somebody has, or has just given back: while there are any, nobody gets the PF. */
  busy: number;
}

const none: ReadonlySet<never> = new Set();

/** Empty pools of devices that are gone: so many are not worth looking for. */
const sparePools = 256;

/**
 * Records and claims with the decisions made so far, durable or not, and the pools that follow from
 * them. Decisions are applied in order and undone newest first.
 */
export class Ledger implements DraftBase {
  readonly #admission: Admission;
  readonly #devices = new Map<DeviceId, Entry>();
  readonly #below = new Map<DeviceId, Below>();
  readonly #claims = new Map<ClaimId, Versioned<Claim>>();
  readonly #claimsOf = new Map<InstanceId, Set<ClaimId>>();
  readonly #operations = new Map<InstanceId, Versioned<Operation>>();
  readonly #pools = new Map<string, Pool>();
  readonly #inOrder: Pool[] = [];
  #fence: number;
  #released = 0;

  constructor(admission: Admission, state: StoreState) {
    this.#admission = admission;
    this.#fence = state.fence;
    for (const claim of state.claims) this.#putClaim(claim.value.id, claim);
    for (const one of state.operations) this.#operations.set(one.value.instance, one);
    for (const device of state.devices) this.#put(device.value.device.id, device);
    for (const id of this.#devices.keys()) this.#refresh(id);
  }

  /** Those with devices, in the order in which they are used. */
  get pools(): readonly Pool[] {
    return this.#inOrder;
  }

  /** Of the last claim. */
  get fence(): number {
    return this.#fence;
  }

  nextFence(): number {
    this.#fence += 1;
    return this.#fence;
  }

  /** The next place in the order of releases. */
  nextRelease(): number {
    this.#released += 1;
    return this.#released;
  }

  device(id: DeviceId): Versioned<DeviceRecord> | undefined {
    return this.#devices.get(id)?.stored;
  }

  record(id: DeviceId): DeviceRecord | undefined {
    return this.#devices.get(id)?.stored.value;
  }

  deviceIds(): Iterable<DeviceId> {
    return this.#devices.keys();
  }

  poolOf(id: DeviceId): Pool | undefined {
    return this.#devices.get(id)?.pool ?? undefined;
  }

  admits(device: ReportedDevice): boolean {
    return this.#admission.poolKeys(device) !== null;
  }

  below(pf: DeviceId): ReadonlySet<DeviceId> {
    return this.#below.get(pf)?.ids ?? none;
  }

  unavailableBelow(pf: DeviceId): number {
    return this.#below.get(pf)?.unavailable ?? 0;
  }

  claim(id: ClaimId): Versioned<Claim> | undefined {
    return this.#claims.get(id);
  }

  claims(): Claim[] {
    return Array.from(this.#claims.values(), ({ value }) => value);
  }

  /** In the order in which they were made. */
  claimsOf(instance: InstanceId): Claim[] {
    const claims: Claim[] = [];
    for (const id of this.#claimsOf.get(instance) ?? []) {
      const claim = this.#claims.get(id)?.value;
      if (claim !== undefined) claims.push(claim);
    }
    return claims;
  }

  operation(instance: InstanceId): Versioned<Operation> | undefined {
    return this.#operations.get(instance);
  }

  operations(): Operation[] {
    return Array.from(this.#operations.values(), ({ value }) => value);
  }

  /** Takes what it takes; what it gives back nobody gets until it is settled. */
  apply({ devices, claims, operations = [] }: Decision): void {
    for (const { id, after } of operations) this.#putOperation(id, after);
    for (const { id, after } of claims) this.#putClaim(id, after);
    for (const { id, before, after } of devices) {
      this.#put(id, after);
      if (givesBack(before, after)) this.#setReturning(id, 1);
    }
    this.#refreshAll(devices);
  }

  /** It is durable. */
  settle({ devices }: Decision): void {
    for (const { id, before, after } of devices) {
      if (givesBack(before, after)) this.#setReturning(id, -1);
    }
    this.#refreshAll(devices);
  }

  /** As if it had not been made; those after it have been undone already. */
  undo({ devices, claims, operations = [] }: Decision): void {
    for (const { id, before, after } of devices) {
      if (givesBack(before, after)) this.#setReturning(id, -1);
      this.#put(id, before);
    }
    for (const { id, before } of claims) this.#putClaim(id, before);
    for (const { id, before } of operations) this.#putOperation(id, before);
    this.#refreshAll(devices);
  }

  #put(id: DeviceId, stored: Versioned<DeviceRecord> | null): void {
    const entry = this.#devices.get(id);
    if (stored === null) {
      if (entry !== undefined) {
        this.#countBelow(entry, -1);
        this.#leavePool(entry);
      }
      this.#devices.delete(id);
      return;
    }
    this.#released = Math.max(this.#released, stored.value.released);
    if (entry === undefined) {
      const place = this.#placeOf(stored.value);
      const fresh = { stored, ...place, pool: null, pooled: null, returning: 0 };
      this.#devices.set(id, fresh);
      this.#countBelow(fresh, 1);
      return;
    }
    const { device, home } = entry.stored.value;
    if (device !== stored.value.device || home !== stored.value.home) {
      this.#countBelow(entry, -1);
      Object.assign(entry, this.#placeOf(stored.value));
      entry.stored = stored;
      this.#countBelow(entry, 1);
    } else {
      this.#recount(entry, stored, entry.returning);
    }
  }

  #setReturning(id: DeviceId, by: number): void {
    const entry = this.#devices.get(id);
    if (entry !== undefined) this.#recount(entry, entry.stored, Math.max(0, entry.returning + by));
  }

  /** Of a device that stays below the same PF. */
  #recount(entry: Entry, stored: Versioned<DeviceRecord>, returning: number): void {
    const pf = pfOf(stored.value);
    const below = pf === null ? undefined : this.#below.get(pf);
    if (below !== undefined) {
      below.unavailable += unavailable(stored.value) - unavailable(entry.stored.value);
      below.busy += busy(stored.value, returning) - busy(entry.stored.value, entry.returning);
    }
    entry.stored = stored;
    entry.returning = returning;
  }

  /** Counts the device among those below its PF, or no longer. */
  #countBelow({ stored: { value }, returning }: Entry, by: 1 | -1): void {
    const pf = pfOf(value);
    if (pf === null) return;
    let below = this.#below.get(pf);
    if (below === undefined) {
      below = { ids: new Set(), unavailable: 0, busy: 0 };
      this.#below.set(pf, below);
    }
    if (by === 1) below.ids.add(value.device.id);
    else below.ids.delete(value.device.id);
    below.unavailable += by * unavailable(value);
    below.busy += by * busy(value, returning);
    if (below.ids.size === 0) this.#below.delete(pf);
  }

  #placeOf({ device, home }: DeviceRecord): Pick<Entry, 'keys' | 'signature'> {
    const keys = this.#admission.poolKeys(
      device.parentAddress === home ? device : { ...device, parentAddress: home },
    );
    return { keys, signature: keys === null ? '' : signatureOf(keys) };
  }

  #putClaim(id: ClaimId, stored: Versioned<Claim> | null): void {
    const before = this.#claims.get(id)?.value;
    if (stored !== null) {
      this.#claims.set(id, stored);
      this.#fence = Math.max(this.#fence, stored.value.fence);
      if (before !== undefined) return;
      const own = this.#claimsOf.get(stored.value.instance);
      if (own === undefined) this.#claimsOf.set(stored.value.instance, new Set([id]));
      else own.add(id);
    } else if (before !== undefined) {
      this.#claims.delete(id);
      const own = this.#claimsOf.get(before.instance);
      own?.delete(id);
      if (own?.size === 0) this.#claimsOf.delete(before.instance);
    }
  }

  #putOperation(id: InstanceId, stored: Versioned<Operation> | null): void {
    if (stored === null) this.#operations.delete(id);
    else this.#operations.set(id, stored);
  }

  #refreshAll(devices: Decision['devices']): void {
    let last: DeviceId | null = null;
    for (const { id, before, after } of devices) {
      this.#refresh(id);
      // As a rule all are of one PF, which is refreshed when all of them have been.
      const old = before === null ? null : pfOf(before.value);
      const now = after === null ? null : pfOf(after.value);
      if (old !== null && old !== now) this.#refresh(old);
      if (now === null || now === last) continue;
      if (last !== null) this.#refresh(last);
      last = now;
    }
    if (last !== null) this.#refresh(last);
  }

  /** Puts the device into the pool where it belongs, if it is to be had at all. */
  #refresh(id: DeviceId): void {
    const entry = this.#devices.get(id);
    if (entry === undefined) return;
    const record = entry.stored.value;
    const isThere = this.#isToBeHad(id, entry);
    if (isThere && entry.pooled === record && entry.pool?.signature === entry.signature) return;
    this.#leavePool(entry);
    if (!isThere || entry.keys === null) return;
    const pool = this.#poolFor(entry.keys, entry.signature);
    if (pool.count === 0) this.#inOrder.splice(placeIn(this.#inOrder, pool, comparePools), 0, pool);
    pool.add(record);
    entry.pool = pool;
    entry.pooled = record;
  }

  /** One that is empty is kept: that of a PF is emptied and filled with every claim of a VF. */
  #poolFor(keys: PoolKeys, signature: string): Pool {
    const known = this.#pools.get(signature);
    if (known !== undefined) return known;
    if (this.#pools.size >= this.#devices.size + sparePools) {
      for (const pool of this.#pools.values()) {
        if (pool.count === 0) this.#pools.delete(pool.signature);
      }
    }
    const pool = new Pool(keys, signature);
    this.#pools.set(signature, pool);
    return pool;
  }

  #leavePool(entry: Entry): void {
    if (entry.pool === null || entry.pooled === null) return;
    entry.pool.remove(entry.pooled);
    if (entry.pool.count === 0)
      this.#inOrder.splice(placeIn(this.#inOrder, entry.pool, comparePools), 1);
    entry.pool = null;
    entry.pooled = null;
  }

  #isToBeHad(id: DeviceId, { stored: { value }, keys, returning }: Entry): boolean {
    if (value.status !== 'available' || value.vanished || returning > 0 || keys === null) {
      return false;
    }
    if (value.device.reasons.length > 0) return false;
    return value.device.type !== 'type-PF' || (this.#below.get(id)?.busy ?? 0) === 0;
  }
}

const unavailable = ({ status }: DeviceRecord): number => (status === 'available' ? 0 : 1);

const busy = (record: DeviceRecord, returning: number): number =>
  isHeld(record) || returning > 0 ? 1 : 0;

function givesBack(
  before: Versioned<DeviceRecord> | null,
  after: Versioned<DeviceRecord> | null,
): boolean {
  return (
    before !== null &&
    after !== null &&
    before.value.status !== 'available' &&
    after.value.status === 'available'
  );
}
