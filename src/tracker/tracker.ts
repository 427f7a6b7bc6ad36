import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { VdpaError } from '../errors.js';
import type { DeviceId } from '../host/device-id.js';
import type { DeviceRequest } from '../policy/device-request.js';
import type { PoolKeys } from '../policy/pool-keys.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import { assertRequests } from './assert-requests.js';
import type { Claim, ClaimId, InstanceId, MigrationId } from './claim.js';
import { CommitQueue } from './commit-queue.js';
import { type ClaimWish, chooseDevices, decideAllocate, decideClaim } from './decide-claim.js';
import { decideRelease, type Returned } from './decide-release.js';
import { decideSync } from './decide-sync.js';
import type { Decision } from './decision.js';
import type { DeviceRecord } from './device-record.js';
import { type Admission, Ledger } from './ledger.js';
import { isOrphan, type Living } from './orphans.js';
import type { HostCell } from './pool-filter.js';
import type { Store } from './store.js';

/** The host's side of a sync. */
export interface HostReport {
  readonly devices: readonly ReportedDevice[];
  /** The host's NUMA nodes; null when they are not known. */
  readonly cells: readonly HostCell[] | null;
}

export interface ClaimArguments {
  /** Names the claim, for asking again when the answer was lost; made up when absent. */
  readonly id?: ClaimId | undefined;
  readonly instance: InstanceId;
  readonly requests: readonly DeviceRequest[];
  /** The guest's NUMA nodes, by number of the host's; null when it has no topology. */
  readonly numaCells?: readonly number[] | null | undefined;
  /** The migration that it is made for. */
  readonly migration?: MigrationId | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which claims a call is about. */
export type ClaimSelection =
  /** `fence`: refused unless it is the claim's. */
  | { readonly claim: ClaimId; readonly fence?: number | undefined }
  /** All of an instance; with `migration` only those of that migration, with null only its own. */
  | { readonly instance: InstanceId; readonly migration?: MigrationId | null | undefined };

/** What is given back. */
export type ReleaseSelection =
  | (ClaimSelection & { readonly devices?: readonly DeviceId[] | undefined })
  | { readonly device: DeviceId };

/** Devices that are alike and to be had, in the order in which they would be taken. */
export interface PoolSummary {
  readonly keys: PoolKeys;
  readonly devices: readonly DeviceId[];
}

/** A document as it was and is; null where there was or is none. */
export interface DocumentChange<T> {
  readonly before: T | null;
  readonly after: T | null;
}

export interface TrackerEvents {
  device: [DocumentChange<DeviceRecord>];
  claim: [DocumentChange<Claim>];
}

/**
 * Who has which device. Records and claims are shown, and events told, once they are durable.
 */
export class Tracker extends EventEmitter<TrackerEvents> implements AsyncDisposable {
  readonly #store: Store;
  readonly #admission: Admission;
  readonly #records = new Map<DeviceId, DeviceRecord>();
  readonly #claims = new Map<ClaimId, Claim>();
  #ledger: Ledger;
  #queue: CommitQueue;
  #cells: readonly HostCell[] | null = null;
  /** The store is being read again. */
  #reopening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  private constructor(store: Store, admission: Admission) {
    super();
    this.#store = store;
    this.#admission = admission;
    this.#ledger = new Ledger(admission, { devices: [], claims: [], fence: 0 });
    this.#queue = this.#newQueue();
  }

  /**
   * Opens the store, which is closed with the tracker.
   *
   * @throws {VdpaError} those of `Store.open`
   */
  static async open(store: Store, admission: Admission): Promise<Tracker> {
    const tracker = new Tracker(store, admission);
    await tracker.#load();
    return tracker;
  }

  /** Of the last claim: those made later have a greater one. */
  get fence(): number {
    return this.#ledger.fence;
  }

  /** All records, in order of their ids. */
  records(): DeviceRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.device.id < b.device.id ? -1 : 1));
  }

  record(id: DeviceId): DeviceRecord | null {
    return this.#records.get(id) ?? null;
  }

  /** All claims, in the order in which they were made. */
  claims(instance?: InstanceId): Claim[] {
    const all = [...this.#claims.values()].sort((a, b) => a.fence - b.fence);
    return instance === undefined ? all : all.filter((claim) => claim.instance === instance);
  }

  /** What is to be had at this moment, in the order in which it would be taken. */
  pools(): PoolSummary[] {
    return this.#ledger.pools.map(({ keys, devices }) => ({
      keys,
      devices: devices.map(({ device }) => device.id),
    }));
  }

  /**
   * Tells what the host has now: everything, or what is missing has vanished.
   *
   * @throws {VdpaError} `CLOSED`, those of `Store.commit`
   */
  async sync({ devices, cells }: HostReport): Promise<void> {
    await this.#ready();
    this.#cells = cells;
    await this.#queue.commit(decideSync(this.#ledger, devices));
  }

  /**
   * Takes devices for all requests, or none. Answers when the claim is durable. The same id with the
   * same arguments answers with the same claim. An abort takes nothing, or gives back what it took.
   *
   * @throws {TypeError} no requests, a count that is no positive number, or more devices named than asked for
   * @throws {VdpaError} `CLAIM_UNSATISFIABLE`, `CLAIM_CONFLICT`, `CLOSED`, those of `Store.commit`
   */
  async claim({ signal, ...wanted }: ClaimArguments): Promise<Claim> {
    assertRequests(wanted.requests);
    signal?.throwIfAborted();
    if (this.#mustWait()) await this.#ready();
    signal?.throwIfAborted();
    const wish: ClaimWish = {
      id: wanted.id ?? (randomUUID() as string as ClaimId),
      instance: wanted.instance,
      migration: wanted.migration ?? null,
      requests: wanted.requests,
      numaCells: wanted.numaCells ?? null,
    };
    const before = this.#ledger.claim(wish.id)?.value;
    if (before !== undefined) {
      assertSameWish(before, wish);
      await this.#queue.commit(nothing);
      return this.#claims.get(wish.id) ?? before;
    }
    const decision = decideClaim(this.#ledger, wish, this.#cells);
    await this.#queue.commit(decision);
    if (signal?.aborted === true) {
      await this.release({ claim: wish.id });
      throw signal.reason;
    }
    const [made] = decision.claims;
    if (made?.after == null) throw new Error('a claim was decided without a claim');
    return made.after.value;
  }

  /** Whether `claim` would find devices now. */
  supports({
    requests,
    numaCells = null,
  }: Pick<ClaimArguments, 'requests' | 'numaCells'>): boolean {
    assertRequests(requests);
    try {
      chooseDevices(this.#ledger, { requests, numaCells }, this.#cells);
      return true;
    } catch (error) {
      if (error instanceof VdpaError && error.code === 'CLAIM_UNSATISFIABLE') return false;
      throw error;
    }
  }

  /**
   * The instance has the devices now. Nothing happens to what it had already.
   *
   * @throws {VdpaError} `CLAIM_NOT_FOUND`, `CLAIM_STALE`, `CLOSED`, those of `Store.commit`
   */
  async allocate(selection: ClaimSelection): Promise<Claim[]> {
    await this.#ready();
    const claims = this.#select(selection);
    if (claims.length === 0 && 'claim' in selection) throw notFound(selection.claim);
    await this.#queue.commit(decideAllocate(this.#ledger, claims));
    return claims.flatMap(({ id }) => this.#claims.get(id) ?? []);
  }

  /**
   * Gives devices back: of a claim, of all claims of an instance, or one device. Answers, when it is
   * durable, with the ids of those given back; none when nobody had them, so that it may be repeated.
   *
   * @throws {VdpaError} `CLAIM_STALE`, `CLOSED`, those of `Store.commit`
   */
  async release(selection: ReleaseSelection): Promise<DeviceId[]> {
    await this.#ready();
    return await this.#giveBack(this.#returned(selection));
  }

  /**
   * Gives back what belongs to none of the instances and migrations that live.
   *
   * @returns the claims that were given back
   * @throws {VdpaError} `CLOSED`, those of `Store.commit`
   */
  async reconcile(living: Living): Promise<Claim[]> {
    await this.#ready();
    const orphans = this.#ledger.claims().filter((claim) => isOrphan(claim, living));
    await this.#giveBack(orphans.map((claim) => ({ claim, devices: null })));
    return orphans;
  }

  /** Waits for what is under way, and closes the store. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    await this.#queue.idle();
    await this.#reopening?.catch(() => {});
    await this.#store.close();
  }

  async #giveBack(returned: readonly Returned[]): Promise<DeviceId[]> {
    const decision = decideRelease(this.#ledger, returned);
    await this.#queue.commit(decision);
    return decision.devices.flatMap(({ id, before, after }) =>
      before?.value.claimId != null && after?.value.claimId == null ? [id] : [],
    );
  }

  #select(selection: ClaimSelection): Claim[] {
    if ('claim' in selection) {
      const claim = this.#ledger.claim(selection.claim)?.value;
      if (claim === undefined) return [];
      if (selection.fence !== undefined && selection.fence !== claim.fence) {
        throw new VdpaError(
          'CLAIM_STALE',
          `claim ${claim.id} has fence ${claim.fence}, not ${selection.fence}: it was made anew meanwhile`,
          { retry: 'never' },
        );
      }
      return [claim];
    }
    const { instance, migration } = selection;
    const own = this.#ledger.claimsOf(instance);
    return migration === undefined ? own : own.filter((claim) => claim.migration === migration);
  }

  #returned(selection: ReleaseSelection): Returned[] {
    if ('device' in selection) {
      const claimId = this.#ledger.record(selection.device)?.claimId ?? null;
      const claim = claimId === null ? undefined : this.#ledger.claim(claimId)?.value;
      return claim === undefined ? [] : [{ claim, devices: [selection.device] }];
    }
    const devices = selection.devices ?? null;
    return this.#select(selection).map((claim) => ({ claim, devices }));
  }

  #mustWait(): boolean {
    return this.#reopening !== null || this.#closing !== null;
  }

  async #ready(): Promise<void> {
    if (this.#closing !== null) throw new VdpaError('CLOSED', 'the tracker has been closed');
    await this.#reopening;
  }

  #newQueue(): CommitQueue {
    return new CommitQueue(
      this.#store,
      this.#ledger,
      (decision) => this.#show(decision),
      () => this.#reopen(),
    );
  }

  /** What the store has is not known any more: everything is read again before anything is decided. */
  #reopen(): void {
    const reopening = (async () => {
      await this.#store.close();
      await this.#load();
    })();
    this.#reopening = reopening;
    reopening.then(
      () => {
        this.#reopening = null;
      },
      // Whoever calls next is told, and the call after that tries again.
      () => {},
    );
  }

  async #load(): Promise<void> {
    const { state } = await this.#store.open();
    this.#ledger = new Ledger(this.#admission, state);
    this.#queue = this.#newQueue();
    const devices = new Map(state.devices.map(({ value }) => [value.device.id, value]));
    const claims = new Map(state.claims.map(({ value }) => [value.id, value]));
    this.#replace(this.#claims, claims, (change) => this.#tell('claim', change));
    this.#replace(this.#records, devices, (change) => this.#tell('device', change));
  }

  #replace<Id, T>(
    shown: Map<Id, T>,
    now: ReadonlyMap<Id, T>,
    tell: (change: DocumentChange<T>) => void,
  ): void {
    const changes: DocumentChange<T>[] = [];
    for (const [id, before] of shown) {
      if (!now.has(id)) changes.push({ before, after: null });
    }
    for (const [id, after] of now) {
      const before = shown.get(id) ?? null;
      if (!isDeepStrictEqual(before, after)) changes.push({ before, after });
    }
    shown.clear();
    for (const [id, value] of now) shown.set(id, value);
    for (const change of changes) tell(change);
  }

  #tell<Type extends keyof TrackerEvents>(type: Type, change: TrackerEvents[Type][0]): void {
    try {
      this.emit(type, ...([change] as never));
    } catch (error) {
      // A listener's mistake is the program's, not the tracker's: it goes where such mistakes go.
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #show({ devices, claims }: Decision): void {
    for (const { id, before, after } of claims) {
      if (after === null) this.#claims.delete(id);
      else this.#claims.set(id, after.value);
      this.#tell('claim', { before: before?.value ?? null, after: after?.value ?? null });
    }
    for (const { id, before, after } of devices) {
      if (after === null) this.#records.delete(id);
      else this.#records.set(id, after.value);
      this.#tell('device', { before: before?.value ?? null, after: after?.value ?? null });
    }
  }
}

/** Nothing to change: but what was found may not be durable yet. */
const nothing: Decision = { devices: [], claims: [] };

function assertSameWish(claim: Claim, wish: ClaimWish): void {
  const { instance, migration, requests, numaCells } = claim;
  const before: ClaimWish = { id: claim.id, instance, migration, requests, numaCells };
  if (isDeepStrictEqual(withoutAbsent(before), withoutAbsent(wish))) return;
  throw new VdpaError(
    'CLAIM_CONFLICT',
    `claim ${claim.id} exists with other arguments, for instance ${instance}`,
    { retry: 'never' },
  );
}

/** As it comes back from a store: keys that are undefined are not there. */
function withoutAbsent(wish: ClaimWish): unknown {
  return JSON.parse(JSON.stringify(wish));
}

function notFound(id: ClaimId): VdpaError {
  return new VdpaError(
    'CLAIM_NOT_FOUND',
    `there is no claim ${id}: it was released, or never made`,
    {
      retry: 'never',
    },
  );
}
