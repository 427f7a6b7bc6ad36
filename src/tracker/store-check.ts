import { VdpaError } from '../errors.js';
import type { StoreState } from './store.js';
import type { StoreHolder } from './store-holder.js';
import { holderOf } from './store-lock.js';
import { storePath } from './store-path.js';
import { openStoreReader } from './store-reader.js';

/** One thing that is wrong with a store, and what to do. */
export interface StoreFault {
  readonly message: string;
  readonly cure: string;
}

/** What `checkStore` found. */
export interface StoreCheck {
  readonly file: string;
  readonly holder: StoreHolder;
  /** Null when the store cannot be read. */
  readonly content: {
    readonly schema: number;
    readonly epoch: string;
    readonly revision: number;
    readonly fence: number;
    readonly devices: number;
    readonly claims: number;
  } | null;
  /** Empty: the store is sound. */
  readonly faults: readonly StoreFault[];
}

const restore =
  'stop the agent, keep a copy of the files, and restore a backup or move them away and start anew (docs/store.md)';
const reconcile = 'stop the agent and see docs/store.md, "Owners that contradict each other"';

/**
 * Reads all of a store and says what is wrong with it. Changes nothing, and works beside its owner.
 *
 * @throws {VdpaError} when there is no store at that path, or it may not be read
 */
export function checkStore(path: string): StoreCheck {
  const { file } = storePath(path);
  try {
    using reader = openStoreReader(path);
    const holder = holderOf(file);
    const broken = reader.faults().map((message) => ({ message, cure: restore }));
    const { epoch, revision, state } = reader.read();
    const strays = [...reader.strayHoldings(), ...contradictions(state)];
    const content = {
      schema: reader.schema,
      epoch,
      revision,
      fence: state.fence,
      devices: state.devices.length,
      claims: state.claims.length,
    };
    const disagreeing = strays.map((message) => ({ message, cure: reconcile }));
    return { file, holder, content, faults: [...broken, ...disagreeing] };
  } catch (error) {
    if (!(error instanceof VdpaError) || error.code !== 'STORE_CORRUPT') throw error;
    const faults = [{ message: error.message, cure: restore }];
    return { file, holder: holderOf(file), content: null, faults };
  }
}

/** Records and claims tell of each other; where they do not agree. */
function contradictions(state: StoreState): string[] {
  return [...ofDevices(state), ...ofClaims(state)];
}

function ofDevices({ devices, claims }: StoreState): string[] {
  const byId = new Map(claims.map(({ value }) => [value.id, value]));
  return devices.flatMap(({ value: { device, status, claimId, instance } }) => {
    if (claimId === null) return [];
    const claim = byId.get(claimId);
    if (claim === undefined)
      return [`${device.id} is ${status} for claim ${claimId}, which is not there`];
    const faults: string[] = [];
    if (!claim.devices.some(({ deviceId }) => deviceId === device.id)) {
      faults.push(`${device.id} is ${status} for claim ${claimId}, which does not have it`);
    }
    if (claim.status !== status)
      faults.push(`${device.id} is ${status}, its claim ${claimId} ${claim.status}`);
    if (claim.instance !== instance) {
      faults.push(`${device.id} belongs to ${instance}, its claim ${claimId} to ${claim.instance}`);
    }
    return faults;
  });
}

function ofClaims({ devices, claims, fence }: StoreState): string[] {
  const byId = new Map(devices.map(({ value }) => [value.device.id, value]));
  return claims.flatMap(({ value: claim }) => [
    ...(claim.fence > fence
      ? [`claim ${claim.id} has fence ${claim.fence}, the store's last is ${fence}`]
      : []),
    ...claim.devices.flatMap(({ deviceId }) => {
      const record = byId.get(deviceId);
      if (record === undefined) return [`claim ${claim.id} has ${deviceId}, which has no record`];
      return record.claimId === claim.id
        ? []
        : [
            `claim ${claim.id} has ${deviceId}, whose record says ${record.claimId ?? record.status}`,
          ];
    }),
  ]);
}
