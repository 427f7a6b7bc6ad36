import { randomUUID } from 'node:crypto';
import { VdpaError } from '../errors.js';
import type { DeviceId } from '../host/device-id.js';
import type { Claim, ClaimId, InstanceId } from './claim.js';
import type { DeviceRecord } from './device-record.js';
import type { Operation } from './operation.js';
import type {
  ChangeResult,
  ChangesSince,
  OpenedStore,
  Store,
  StoreChange,
  StoreState,
  Versioned,
  Write,
} from './store.js';
import { assertOneWriteEach, conflictOf, encodeChange } from './store-change.js';

interface Stored<T> extends Versioned<T> {
  readonly revision: number;
}

/** A store that lasts as long as the process: for tests, and for those who keep nothing. */
export class MemoryStore implements Store {
  readonly #epoch = randomUUID();
  readonly #devices = new Map<DeviceId, Stored<DeviceRecord>>();
  readonly #claims = new Map<ClaimId, Stored<Claim>>();
  readonly #operations = new Map<InstanceId, Stored<Operation>>();
  readonly #holders = new Map<string, ClaimId>();
  /** By id, at which revision a document went. */
  readonly #removedDevices = new Map<DeviceId, number>();
  readonly #removedClaims = new Map<ClaimId, number>();
  readonly #removedOperations = new Map<InstanceId, number>();
  #revision = 0;
  #fence = 0;
  #open = false;

  async open(): Promise<OpenedStore> {
    if (this.#open) throw new TypeError('the store is open already');
    this.#open = true;
    return { epoch: this.#epoch, revision: this.#revision, state: this.#stateSince(0) };
  }

  async commit(changes: readonly StoreChange[]): Promise<readonly ChangeResult[]> {
    this.#assertOpen();
    changes.forEach(assertOneWriteEach);
    return changes.map((change) => this.#apply(change));
  }

  async changes(fromRevision: number): Promise<ChangesSince | null> {
    this.#assertOpen();
    if (fromRevision > this.#revision) return null;
    return {
      revision: this.#revision,
      state: this.#stateSince(fromRevision),
      removedDevices: since(this.#removedDevices, fromRevision),
      removedClaims: since(this.#removedClaims, fromRevision),
      removedOperations: since(this.#removedOperations, fromRevision),
    };
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #apply(change: StoreChange): ChangeResult {
    const conflict = conflictOf(encodeChange(change), {
      device: (id) => this.#devices.get(id as DeviceId)?.version ?? null,
      claim: (id) => this.#claims.get(id as ClaimId)?.version ?? null,
      operation: (instance) => this.#operations.get(instance as InstanceId)?.version ?? null,
      holder: (device) => this.#holders.get(device) ?? null,
    });
    if (conflict !== null) return { committed: false, conflict };
    const revision = ++this.#revision;
    for (const { id } of change.claims) {
      for (const { deviceId } of this.#claims.get(id)?.value.devices ?? []) {
        this.#holders.delete(deviceId);
      }
    }
    for (const write of change.devices) {
      put(this.#devices, this.#removedDevices, write, revision);
    }
    for (const write of change.claims) {
      put(this.#claims, this.#removedClaims, write, revision);
      this.#fence = Math.max(this.#fence, write.to?.fence ?? 0);
      for (const { deviceId } of write.to?.devices ?? []) this.#holders.set(deviceId, write.id);
    }
    for (const write of change.operations ?? []) {
      put(this.#operations, this.#removedOperations, write, revision);
    }
    return { committed: true, revision };
  }

  #stateSince(revision: number): StoreState {
    return {
      devices: writtenSince(this.#devices, revision),
      claims: writtenSince(this.#claims, revision),
      operations: writtenSince(this.#operations, revision),
      fence: this.#fence,
    };
  }

  #assertOpen(): void {
    if (!this.#open) throw new VdpaError('CLOSED', 'the store is not open', { retry: 'never' });
  }
}

function put<Id, T>(
  documents: Map<Id, Stored<T>>,
  removed: Map<Id, number>,
  { id, from, to }: Write<Id, T>,
  revision: number,
): void {
  if (to !== null) {
    documents.set(id, { version: (from ?? 0) + 1, value: to, revision });
    removed.delete(id);
  } else if (documents.delete(id)) {
    removed.set(id, revision);
  }
}

function writtenSince<Id, T>(documents: Map<Id, Stored<T>>, from: number): Versioned<T>[] {
  return [...documents.values()]
    .filter(({ revision }) => revision > from)
    .map(({ version, value }) => ({ version, value }));
}

function since<Id>(removed: Map<Id, number>, from: number): Id[] {
  return [...removed].flatMap(([id, revision]) => (revision > from ? [id] : []));
}
