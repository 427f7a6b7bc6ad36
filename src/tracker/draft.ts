import { type DeviceId, pciDeviceId } from '../host/device-id.js';
import type { Claim, ClaimId } from './claim.js';
import type { Decision, Replacement } from './decision.js';
import type { DeviceRecord } from './device-record.js';
import type { Versioned } from './store.js';
import type { Family, Transition } from './transitions.js';

/** What a draft starts from. */
export interface DraftBase {
  device(id: DeviceId): Versioned<DeviceRecord> | undefined;
  claim(id: ClaimId): Versioned<Claim> | undefined;
  /** Devices that name this PF as the one above them, in no order. */
  below(pf: DeviceId): ReadonlySet<DeviceId>;
  /** How many of them are not available. */
  unavailableBelow(pf: DeviceId): number;
}

/** Changes that build on one another, over records that stay as they are until all is decided. */
export class Draft {
  readonly #base: DraftBase;
  readonly #devices = new Map<DeviceId, DeviceRecord | null>();
  readonly #claims = new Map<ClaimId, Claim | null>();
  /** Of PFs: devices that came below them in this draft. */
  readonly #newcomers = new Map<DeviceId, DeviceId[]>();
  /** Of PFs: how many more of the devices below are not available than in the base. */
  readonly #moreUnavailable = new Map<DeviceId, number>();

  constructor(base: DraftBase) {
    this.#base = base;
  }

  device(id: DeviceId): DeviceRecord | null {
    const drafted = this.#devices.get(id);
    return drafted === undefined ? (this.#base.device(id)?.value ?? null) : drafted;
  }

  claim(id: ClaimId): Claim | null {
    const drafted = this.#claims.get(id);
    return drafted === undefined ? (this.#base.claim(id)?.value ?? null) : drafted;
  }

  setDevice(id: DeviceId, record: DeviceRecord | null): void {
    this.#count(this.device(id), -1);
    this.#count(record, 1);
    this.#devices.set(id, record);
    const pf = record === null ? null : pfOf(record);
    if (pf === null || this.#base.below(pf).has(id)) return;
    const newcomers = this.#newcomers.get(pf);
    if (newcomers === undefined) this.#newcomers.set(pf, [id]);
    else if (!newcomers.includes(id)) newcomers.push(id);
  }

  setClaim(id: ClaimId, claim: Claim | null): void {
    this.#claims.set(id, claim);
  }

  apply(transitions: readonly Transition[]): void {
    for (const { after } of transitions) this.setDevice(after.device.id, after);
  }

  family(record: DeviceRecord): Family {
    const pf = pfOf(record);
    const parent = pf === null ? null : this.device(pf);
    return {
      record,
      parent: parent?.device.type === 'type-PF' ? parent : null,
      children: record.device.type === 'type-PF' ? this.#below(record.device.id) : [],
      siblingsAvailable: () => {
        if (pf === null) return true;
        const own = this.device(record.device.id)?.status === 'available' ? 0 : 1;
        return this.#unavailableBelow(pf) - own === 0;
      },
    };
  }

  decision(): Decision {
    return {
      devices: replacements(this.#devices, (id) => this.#base.device(id)),
      claims: replacements(this.#claims, (id) => this.#base.claim(id)),
    };
  }

  *#below(pf: DeviceId): Generator<DeviceRecord> {
    for (const ids of [this.#base.below(pf), this.#newcomers.get(pf) ?? []]) {
      for (const id of ids) {
        const record = this.device(id);
        if (record !== null && pfOf(record) === pf) yield record;
      }
    }
  }

  /** Counted with each change: a PF has hundreds below it, and a release asks for each of them. */
  #unavailableBelow(pf: DeviceId): number {
    return this.#base.unavailableBelow(pf) + (this.#moreUnavailable.get(pf) ?? 0);
  }

  #count(record: DeviceRecord | null, by: 1 | -1): void {
    if (record === null || record.status === 'available') return;
    const pf = pfOf(record);
    if (pf !== null) this.#moreUnavailable.set(pf, (this.#moreUnavailable.get(pf) ?? 0) + by);
  }
}

/** The PF above a VF or vDPA device. */
export function pfOf({ device }: DeviceRecord): DeviceId | null {
  if (device.type !== 'type-VF' && device.type !== 'vdpa') return null;
  return device.parentAddress === null ? null : pciDeviceId(device.parentAddress);
}

function replacements<Id, T>(
  drafted: ReadonlyMap<Id, T | null>,
  base: (id: Id) => Versioned<T> | undefined,
): Replacement<Id, T>[] {
  const all: Replacement<Id, T>[] = [];
  for (const [id, value] of drafted) {
    const before = base(id) ?? null;
    if (value === (before?.value ?? null)) continue;
    const after = value === null ? null : { version: (before?.version ?? 0) + 1, value };
    all.push({ id, before, after });
  }
  return all;
}
