import { randomUUID } from 'node:crypto';
import type { DeviceId } from '../host/device-id.js';
import {
  assertForm,
  type ClaimArguments,
  type ClaimSelection,
  type ReleaseSelection,
} from '../tracker/arguments.js';
import type { TrackerFinding } from '../tracker/audit.js';
import type { Claim, ClaimId, InstanceId } from '../tracker/claim.js';
import type { DeviceRecord } from '../tracker/device-record.js';
import { abortSignal, from, optional, shape } from '../tracker/form.js';
import type { Living } from '../tracker/orphans.js';
import type { PoolSummary } from '../tracker/pool-summary.js';
import type { AttachedClaim } from './attach-claim.js';
import type { ClaimDesk } from './claim-desk.js';
import type {
  AttachCall,
  DetachCall,
  DetachedClaim,
  GuestDesk,
  GuestListing,
  PlugCallOptions,
} from './guest-desk.js';
import { OwnerConnection, type Question } from './owner-connection.js';

export interface OwnerClientOptions {
  /** For connecting. */
  readonly signal?: AbortSignal | undefined;
  /** How long the owner may take for an answer. Default: 30,000. */
  readonly timeoutMs?: number | undefined;
  /** How long it may take to greet. Default: `timeoutMs`. */
  readonly greetingMs?: number | undefined;
}

/** For one step, unless the caller says more: a detach of a guest that does not answer takes the longest. */
const plugMs = 120_000;
/** What undoing it may take after its time. */
const undoMs = 60_000;

const optionsForm = shape<OwnerClientOptions>({
  signal: optional(abortSignal),
  timeoutMs: optional(from(1)),
  greetingMs: optional(from(0)),
});

/**
 * The desk of another process: what is asked here is done by the store's owner.
 *
 * Every call rejects with what the owner's rejected with; or with `OWNER_UNREACHABLE` when its answer
 * did not come, and then `outcome` says whether something may have been done. A connection that has
 * ended is not made again: connect anew.
 *
 * An open client does not keep the process alive; a call under way does.
 */
export class OwnerClient implements ClaimDesk, GuestDesk, AsyncDisposable {
  readonly #connection: OwnerConnection;

  /**
   * @param path of the owner's socket
   * @throws {TypeError} an option that does not exist or has the wrong form, by name
   * @throws {VdpaError} `OWNER_UNREACHABLE`, `OWNER_PROTOCOL`, `PERMISSION_DENIED`, `ADDON_MISSING`
   */
  static async connect(path: string, options: OwnerClientOptions = {}): Promise<OwnerClient> {
    assertForm('OwnerClient', optionsForm, options);
    const { signal, timeoutMs = 30_000, greetingMs = timeoutMs } = options;
    return new OwnerClient(await OwnerConnection.open(path, { signal, timeoutMs, greetingMs }));
  }

  private constructor(connection: OwnerConnection) {
    this.#connection = connection;
  }

  /**
   * As `Tracker.claim`. An abort that the owner hears of too late takes nothing back: then the call
   * answers with the claim.
   */
  async claim(wanted: ClaimArguments): Promise<Claim> {
    const { signal, id = randomUUID() as string as ClaimId, ...rest } = wanted;
    return await this.#ask<Claim>({
      verb: 'claim',
      arguments: { id, ...rest },
      signal,
      doubt: {
        text: `whether claim ${id} was made is not known: ask again under the same id, or release it`,
        leftovers: [`claim ${id}, if it was made`],
      },
    });
  }

  async allocate(selection: ClaimSelection): Promise<Claim[]> {
    return await this.#change('allocate', selection);
  }

  async release(selection: ReleaseSelection): Promise<DeviceId[]> {
    return await this.#change('release', selection);
  }

  async supports(wanted: Pick<ClaimArguments, 'requests' | 'numaCells'>): Promise<boolean> {
    const { requests, numaCells } = wanted;
    return await this.#read('supports', { requests, numaCells });
  }

  async pools(): Promise<PoolSummary[]> {
    const pools = await this.#read<PoolSummary[]>('pools', {});
    // As `PoolKeys` promises: without a prototype.
    return pools.map(({ keys, devices }) => ({
      keys: Object.assign(Object.create(null), keys),
      devices,
    }));
  }

  async records(): Promise<DeviceRecord[]> {
    return await this.#read('records', {});
  }

  async claims(instance?: InstanceId): Promise<Claim[]> {
    return await this.#read('claims', { instance });
  }

  async reconcile(living: Living): Promise<Claim[]> {
    return await this.#change('reconcile', living);
  }

  async audit(living?: Living | null): Promise<TrackerFinding[]> {
    return await this.#read('audit', { living });
  }

  async heal(living?: Living | null): Promise<TrackerFinding[]> {
    return await this.#change('heal', { living });
  }

  async attach(call: AttachCall): Promise<AttachedClaim[]> {
    return await this.#plug('attach', call);
  }

  async detach(call: DetachCall): Promise<DetachedClaim[]> {
    return await this.#plug('detach', call);
  }

  async guests({
    signal,
  }: {
    readonly signal?: AbortSignal | undefined;
  } = {}): Promise<GuestListing[]> {
    return await this.#ask({ verb: 'guests', arguments: {}, doubt: null, signal });
  }

  /** Waits for the answers that are due, and ends the connection. Idempotent. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Its steps say that the owner is at it. */
  async #plug<T>(verb: keyof GuestDesk, call: PlugCallOptions): Promise<T> {
    const { signal, onStep, ...given } = call;
    const text = `whether it was done is not known: ${verb} again, it does no harm to do it twice`;
    return await this.#ask({
      verb,
      arguments: given,
      signal,
      onStep,
      timeoutMs: (call.timeoutMs ?? plugMs) + undoMs,
      doubt: { text, leftovers: [] },
    });
  }

  async #read<T>(verb: keyof ClaimDesk, given: object): Promise<T> {
    return await this.#ask({ verb, arguments: given, doubt: null });
  }

  async #change<T>(verb: keyof ClaimDesk, given: object): Promise<T> {
    const text = 'whether it was done is not known: ask again, it does no harm to do it twice';
    return await this.#ask({ verb, arguments: given, doubt: { text, leftovers: [] } });
  }

  /** The owner is trusted to answer as its desk does. */
  async #ask<T>(question: Question): Promise<T> {
    return (await this.#connection.ask(question)) as T;
  }
}
