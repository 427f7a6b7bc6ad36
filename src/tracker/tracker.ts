import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { VdpaError } from '../errors.js';
import { EventQueues } from '../event-queues.js';
import type { DeviceId } from '../host/device-id.js';
import type { HostCell } from '../host/host-cells.js';
import {
  assertCells,
  assertClaimArguments,
  assertClaimSelection,
  assertGuest,
  assertHostReport,
  assertLiving,
  assertOperation,
  assertReleaseSelection,
  assertReported,
  type ClaimArguments,
  type ClaimSelection,
  type GivenInterface,
  type HostReport,
  type ReleaseSelection,
} from './arguments.js';
import { type Askers, AskersOfClaims } from './askers.js';
import { auditLedger, type TrackerFinding } from './audit.js';
import type { Claim, ClaimId, InstanceId } from './claim.js';
import { assertInNoOtherGuest } from './claim-in-guest.js';
import { CommitQueue } from './commit-queue.js';
import {
  type ClaimWish,
  chooseDevices,
  decideAdopt,
  decideAllocate,
  decideClaim,
  decideGuest,
} from './decide-claim.js';
import { decideHeal } from './decide-heal.js';
import { decideRelease, type Returned } from './decide-release.js';
import { decideSync } from './decide-sync.js';
import type { Decision } from './decision.js';
import type { DeviceRecord } from './device-record.js';
import { type Admission, Ledger } from './ledger.js';
import { noLongerUnderWay, type Operation, underWay } from './operation.js';
import { isForfeit, type Living, orphansOf } from './orphans.js';
import { assertRequests, ownRequests } from './own-requests.js';
import { type PoolSummary, poolSummaries } from './pool-summary.js';
import type { Store } from './store.js';
import type { TrackerEvent, TrackerEvents } from './tracker-event.js';

type OneClaim = Extract<ClaimSelection, { readonly claim: unknown }>;

/**
 * Who has which device of a host. Decisions are made at once, in the order of the calls; calls answer,
 * records and claims are shown, and events told once they are durable.
 */
export class Tracker extends EventEmitter<TrackerEvents> implements AsyncDisposable {
  readonly #store: Store;
  readonly #admission: Admission;
  /** As they are durable. */
  readonly #records = new Map<DeviceId, DeviceRecord>();
  readonly #claims = new Map<ClaimId, Claim>();
  readonly #operations = new Map<InstanceId, Operation>();
  readonly #queues = new EventQueues<TrackerEvent>({
    type: 'resync',
    reason: 'consumer-slow',
  });
  readonly #askers = new AskersOfClaims();
  #ledger: Ledger;
  #queue: CommitQueue;
  #cells: readonly HostCell[] | null = null;
  /** What the store has is not known: it is to be read again before anything is decided. */
  #inDoubt = false;
  #reopening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  private constructor(store: Store, admission: Admission) {
    super();
    this.#store = store;
    this.#admission = admission;
    this.#ledger = new Ledger(admission, { devices: [], claims: [], operations: [], fence: 0 });
    this.#queue = this.#newQueue();
  }

  /**
   * Opens the store, which is closed with the tracker.
   *
   * @param admission a `DeviceSpec`
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

  /** Null: it was given back, or never made. */
  claimOf(id: ClaimId): Claim | null {
    return this.#claims.get(id) ?? null;
  }

  /** All claims, or an instance's, in the order in which they were made. */
  claims(instance?: InstanceId): Claim[] {
    return [...this.#claims.values()]
      .filter((claim) => instance === undefined || claim.instance === instance)
      .sort((a, b) => a.fence - b.fence);
  }

  /** What is being done with an instance; null: nothing. */
  operationOf(instance: InstanceId): Operation | null {
    return this.#operations.get(instance) ?? null;
  }

  /** In order of the instances' ids. */
  operations(): Operation[] {
    return [...this.#operations.values()].sort((a, b) => (a.instance < b.instance ? -1 : 1));
  }

  /** What is to be had at this moment, in the order in which it would be taken. */
  pools(): PoolSummary[] {
    return poolSummaries(this.#ledger);
  }

  /** Whether `claim` would find devices at this moment. @throws {TypeError} as `claim` */
  supports({
    requests,
    numaCells = null,
  }: Pick<ClaimArguments, 'requests' | 'numaCells'>): boolean {
    assertCells(numaCells);
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
   * What does not fit together.
   *
   * @param living null: claims are not judged by whether somebody is there for them
   * @throws {TypeError} when the lists of who lives are none
   */
  audit(living: Living | null = null): TrackerFinding[] {
    if (living !== null) assertLiving(living);
    return auditLedger(this.#ledger, living);
  }

  /** Every event from now on. A loop that is left, by whatever way, takes none any more. */
  [Symbol.asyncIterator](): AsyncIterableIterator<TrackerEvent, undefined, undefined> {
    return this.#queues.open(this.#closing !== null);
  }

  /**
   * Tells what the host has now: all of it; what is missing has vanished.
   *
   * @throws {TypeError} saying what is wrong with which device; then nothing of the report is taken
   * @throws {VdpaError} `CLOSED`, those of `Store.commit`
   */
  async sync(report: HostReport): Promise<void> {
    assertHostReport(report);
    const { devices, cells } = report;
    if (this.#mustWait()) await this.#ready();
    const decision = decideSync(this.#ledger, devices);
    assertReported(decision);
    this.#cells = cells;
    await this.#queue.commit(decision);
  }

  /**
   * Takes devices for all requests, or none. The same id with the same arguments answers with the same
   * claim, as it is now. An abort takes nothing, or gives back what it took before it rejects; unless
   * another has asked for the same claim meanwhile: then it is that one's.
   *
   * @throws {TypeError} naming the key that is unknown or has the wrong form; more devices named than
   *   asked for
   * @throws {VdpaError} `CLAIM_UNSATISFIABLE`, `CLAIM_CONFLICT`, `CLOSED`, those of `Store.commit`
   */
  async claim(wanted: ClaimArguments): Promise<Claim> {
    assertClaimArguments(wanted);
    const { id = randomUUID() as string as ClaimId, instance, signal } = wanted;
    const { migration = null, numaCells = null } = wanted;
    const requests = ownRequests(wanted.requests);
    const wish = { id, instance, migration, requests, numaCells: numaCells && [...numaCells] };
    signal?.throwIfAborted();
    if (this.#mustWait()) await this.#ready();
    signal?.throwIfAborted();
    const there = this.#ledger.claim(id)?.value;
    if (there !== undefined) assertSameWish(there, wish);
    const decision = there === undefined ? decideClaim(this.#ledger, wish, this.#cells) : nothing;
    const claim = there ?? decision.claims[0]?.after?.value;
    if (claim === undefined) throw new Error('a claim was decided that makes none');
    const { fence } = claim;
    const askers = there === undefined ? this.#askers.first(fence) : this.#askers.another(fence);
    try {
      await this.#durable(decision, claim);
      if (signal?.aborted === true && askers !== null) {
        await this.#giveUp(claim, askers);
        throw signal.reason;
      }
      if (askers !== null) askers.answered = true;
      const now = this.#claims.get(id);
      return now?.fence === fence ? now : claim;
    } finally {
      if (askers !== null) this.#askers.leave(fence, askers);
    }
  }

  /**
   * The instance has the devices now. Nothing happens to what it had already.
   *
   * @returns the claims as they are now
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `CLAIM_NOT_FOUND` (asked by claim), `CLAIM_STALE`, `CLOSED`, those of
   *   `Store.commit`
   */
  async allocate(selection: ClaimSelection): Promise<Claim[]> {
    assertClaimSelection(selection);
    if (this.#mustWait()) await this.#ready();
    const claims = this.#select(selection);
    if (claims.length === 0 && 'claim' in selection) throw notFound(selection.claim);
    const decision = decideAllocate(this.#ledger, claims);
    await this.#queue.commit(decision);
    const changed = new Map(decision.claims.map(({ id, after }) => [id, after?.value]));
    return claims.map((claim) => changed.get(claim.id) ?? claim);
  }

  /**
   * A migration has ended here: what it had claimed is the instance's own. Nothing happens to what
   * was so already.
   *
   * @returns the claim as it is now
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `CLAIM_NOT_FOUND`, `CLAIM_STALE`, `CLOSED`, those of `Store.commit`
   */
  async adopt(selection: OneClaim): Promise<Claim> {
    return await this.#changeOne(selection, decideAdopt);
  }

  /**
   * Keeps with a claim which guest may have its devices, so that a restarted agent knows where to look.
   *
   * @param guest by its driver's reference, such as `qmp:/run/vm1.qmp`; null: none has any
   * @param interfaces what the guest is told of them, for when it is to have them again
   * @returns the claim as it is now
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `CLAIM_NOT_FOUND`, `CLAIM_STALE`, `CLAIM_IN_GUEST` (another has it), `CLOSED`,
   *   those of `Store.commit`
   */
  async setGuest(
    selection: OneClaim,
    guest: string | null,
    interfaces: readonly GivenInterface[] = [],
  ): Promise<Claim> {
    assertGuest(guest, interfaces);
    return await this.#changeOne(selection, (ledger, claim) => {
      if (guest !== null) assertInNoOtherGuest(claim, guest);
      return decideGuest(ledger, claim, guest, interfaces);
    });
  }

  /**
   * Keeps how far an operation has come, or that it has ended.
   *
   * @param before as it was until now, by `operationOf`; null: there was none
   * @param after of the same instance; null: it has ended
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `OPERATION_UNDER_WAY` when the instance's operation is not `before`, `CLOSED`,
   *   those of `Store.commit`
   */
  async setOperation(
    instance: InstanceId,
    before: Operation | null,
    after: Operation | null,
  ): Promise<void> {
    assertOperation(instance, after);
    if (this.#mustWait()) await this.#ready();
    const now = this.#ledger.operation(instance) ?? null;
    if (!isDeepStrictEqual(now?.value ?? null, before)) {
      throw now === null ? noLongerUnderWay(instance) : underWay(now.value);
    }
    const then = after && { version: (now?.version ?? 0) + 1, value: structuredClone(after) };
    await this.#queue.commit({
      ...nothing,
      operations: now === null && then === null ? [] : [{ id: instance, before: now, after: then }],
    });
  }

  /**
   * Gives devices back. They are to be had again once that is durable.
   *
   * @returns the ids of those that were given back; none when nobody had them, so that it may be
   *   repeated
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `CLAIM_STALE`, `CLAIM_IN_GUEST` and `OPERATION_UNDER_WAY` (unless forced), `CLOSED`,
   *   those of `Store.commit`
   */
  async release(selection: ReleaseSelection): Promise<DeviceId[]> {
    assertReleaseSelection(selection);
    if (this.#mustWait()) await this.#ready();
    const returned = this.#returned(selection);
    if (selection.force !== true) {
      for (const { claim } of returned) {
        // What a guest may still have is nobody else's yet, nor what somebody goes on with.
        assertInNoOtherGuest(claim, null);
        const now = this.operationOf(claim.instance);
        if (now !== null && now.kind !== selection.operation) throw underWay(now);
      }
    }
    return await this.#giveBack(returned);
  }

  /**
   * Gives back what belongs to none of the instances and migrations that live, but for what a guest may still
   * have: that is detached first.
   *
   * @returns the claims that were given back
   * @throws {TypeError} as `audit`
   * @throws {VdpaError} `CLOSED`, those of `Store.commit`
   */
  async reconcile(living: Living): Promise<Claim[]> {
    assertLiving(living);
    if (this.#mustWait()) await this.#ready();
    const isOrphan = orphansOf(living, this.#ledger);
    const orphans = this.#ledger.claims().filter((claim) => isOrphan(claim) && isForfeit(claim));
    await this.#giveBack(orphans.map((claim) => ({ claim, devices: null })));
    return orphans;
  }

  /**
   * Sets right what `audit` calls healable.
   *
   * @returns what was set right
   * @throws {TypeError} as `audit`
   * @throws {VdpaError} `CLOSED`, those of `Store.commit`
   */
  async heal(living: Living | null = null): Promise<TrackerFinding[]> {
    if (living !== null) assertLiving(living);
    if (this.#mustWait()) await this.#ready();
    const healed = this.audit(living).filter(({ healable }) => healable);
    await this.#queue.commit(decideHeal(this.#ledger, living));
    return healed;
  }

  /** Waits for what is under way, and closes the store. Loops end. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    await this.#askers.none();
    await this.#queue.idle();
    await this.#reopening?.catch(() => {});
    this.#queues.end();
    await this.#store.close();
  }

  /** @returns the claim as it is now */
  async #changeOne(
    selection: OneClaim,
    decide: (ledger: Ledger, claim: Claim) => Decision,
  ): Promise<Claim> {
    assertClaimSelection(selection);
    if (this.#mustWait()) await this.#ready();
    const [claim] = this.#select(selection);
    if (claim === undefined) throw notFound(selection.claim);
    const decision = decide(this.#ledger, claim);
    await this.#queue.commit(decision);
    return decision.claims[0]?.after?.value ?? claim;
  }

  async #giveBack(returned: readonly Returned[]): Promise<DeviceId[]> {
    const decision = decideRelease(this.#ledger, returned);
    await this.#queue.commit(decision);
    return decision.devices
      .filter(({ before, after }) => isTaken(before?.value) && !isTaken(after?.value))
      .map(({ id }) => id);
  }

  /** Stores the decision, and resolves when the claim that it is about is durable. */
  async #durable(decision: Decision, { id, fence }: Claim): Promise<void> {
    try {
      await this.#queue.commit(decision);
    } catch (error) {
      // What failed may be what came after the claim.
      if (this.#claims.get(id)?.fence !== fence) throw error;
    }
  }

  /** One no longer wants the claim; if nobody does it is given back, also while the tracker is being closed. */
  async #giveUp({ id, fence }: Claim, askers: Askers): Promise<void> {
    askers.wanting -= 1;
    try {
      if (this.#inDoubt) await this.#reopen();
      const now = this.#ledger.claim(id)?.value;
      // Somebody else has it, or will; or it was given back, and maybe made anew.
      const isOthers = askers.wanting > 0 || askers.answered || now?.status === 'allocated';
      if (isOthers || now?.fence !== fence) return;
      await this.#giveBack([{ claim: now, devices: null }]);
    } catch (error) {
      throw new VdpaError(
        error instanceof VdpaError ? error.code : 'STORE_FAILED',
        `claim ${id} was aborted and could not be given back: ${error instanceof Error ? error.message : error}`,
        { outcome: 'partial', retry: 'later', leftovers: [`claim ${id}`], cause: error },
      );
    }
  }

  #select(selection: ClaimSelection): Claim[] {
    if ('claim' in selection) {
      const claim = this.#ledger.claim(selection.claim)?.value;
      if (claim === undefined) return [];
      if (selection.fence !== undefined && selection.fence !== claim.fence) {
        throw new VdpaError(
          'CLAIM_STALE',
          `claim ${claim.id} has fence ${claim.fence}, not ${selection.fence}: it was released and made anew`,
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
    return this.#inDoubt || this.#closing !== null;
  }

  async #ready(): Promise<void> {
    this.#assertOpen();
    if (!this.#inDoubt) return;
    await this.#reopen();
    this.#assertOpen();
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new VdpaError('CLOSED', 'the tracker has been closed');
  }

  #newQueue(): CommitQueue {
    return new CommitQueue(
      this.#store,
      this.#ledger,
      (decision) => this.#show(decision),
      () => {
        this.#inDoubt = true;
        // Whoever calls next is told if it fails, and has it tried again.
        this.#reopen().catch(() => {});
      },
    );
  }

  #reopen(): Promise<void> {
    this.#reopening ??= (async () => {
      try {
        await this.#store.close();
        await this.#load();
        this.#inDoubt = false;
      } finally {
        this.#reopening = null;
      }
    })();
    return this.#reopening;
  }

  async #load(): Promise<void> {
    const { state } = await this.#store.open();
    this.#ledger = new Ledger(this.#admission, state);
    this.#queue = this.#newQueue();
    const events: TrackerEvent[] = [];
    if (this.#inDoubt) events.push({ type: 'resync', reason: 'store-reread' });
    const claims = new Map(state.claims.map(({ value }) => [value.id, value]));
    for (const change of replaced(this.#claims, claims)) events.push({ type: 'claim', ...change });
    const records = new Map(state.devices.map(({ value }) => [value.device.id, value]));
    for (const change of replaced(this.#records, records)) {
      events.push({ type: 'device', ...change });
    }
    for (const event of events) this.#tell(event);
    this.#operations.clear();
    for (const { value } of state.operations) this.#operations.set(value.instance, value);
  }

  #show({ devices, claims, operations = [] }: Decision): void {
    for (const { id, after } of operations) {
      if (after === null) this.#operations.delete(id);
      else this.#operations.set(id, after.value);
    }
    for (const { id, before, after } of claims) {
      if (after === null) this.#claims.delete(id);
      else this.#claims.set(id, after.value);
      this.#tell({ type: 'claim', before: before?.value ?? null, after: after?.value ?? null });
    }
    for (const { id, before, after } of devices) {
      if (after === null) this.#records.delete(id);
      else this.#records.set(id, after.value);
      this.#tell({ type: 'device', before: before?.value ?? null, after: after?.value ?? null });
    }
  }

  #tell(event: TrackerEvent): void {
    if (this.#queues.isEmpty && this.listenerCount(event.type) === 0) return;
    this.#queues.push(event);
    try {
      this.emit(event.type, ...([event] as never));
    } catch (error) {
      // A listener's mistake is the program's, not the tracker's: it goes where such mistakes go.
      process.nextTick(() => {
        throw error;
      });
    }
  }
}

/** Nothing to change; but what was found may not be durable yet. */
const nothing: Decision = { devices: [], claims: [] };

function isTaken(record: DeviceRecord | undefined): boolean {
  return record !== undefined && record.claimId !== null;
}

/** Puts other documents into the map, and tells what is different. */
function replaced<Id, T>(
  shown: Map<Id, T>,
  now: ReadonlyMap<Id, T>,
): { readonly before: T | null; readonly after: T | null }[] {
  const changes: { readonly before: T | null; readonly after: T | null }[] = [];
  for (const [id, before] of shown) if (!now.has(id)) changes.push({ before, after: null });
  for (const [id, after] of now) {
    const before = shown.get(id) ?? null;
    if (!isDeepStrictEqual(before, after)) changes.push({ before, after });
  }
  shown.clear();
  for (const [id, value] of now) shown.set(id, value);
  return changes;
}

function assertSameWish(
  { id, instance, migration, requests, numaCells }: Claim,
  wish: ClaimWish,
): void {
  const before: ClaimWish = { id, instance, migration, requests, numaCells };
  if (isDeepStrictEqual(before, wish)) return;
  throw new VdpaError(
    'CLAIM_CONFLICT',
    `claim ${id} exists with other arguments, for instance ${instance}`,
    { retry: 'never' },
  );
}

function notFound(id: ClaimId): VdpaError {
  return new VdpaError(
    'CLAIM_NOT_FOUND',
    `there is no claim ${id}: it was released, or never made`,
    { retry: 'never' },
  );
}
