import { VdpaError } from '../../src/errors.js';
import type { DeviceId } from '../../src/host/device-id.js';
import type { HostCell } from '../../src/host/host-cells.js';
import { parseGlob } from '../../src/policy/address-pattern.js';
import type {
  DeviceRequest,
  PortId,
  RequestId,
  RequestSpec,
} from '../../src/policy/device-request.js';
import { DeviceSpec } from '../../src/policy/device-spec.js';
import type { NumaPolicy } from '../../src/policy/numa-policy.js';
import type { PciFacts } from '../../src/policy/pci-facts.js';
import type { ReportedDevice } from '../../src/policy/reported-device.js';
import type { ClaimId, InstanceId } from '../../src/tracker/claim.js';
import { decideAllocate, decideClaim } from '../../src/tracker/decide-claim.js';
import { decideRelease, type Returned } from '../../src/tracker/decide-release.js';
import { decideSync } from '../../src/tracker/decide-sync.js';
import type { Decision } from '../../src/tracker/decision.js';
import type { DeviceRecord } from '../../src/tracker/device-record.js';
import { Ledger } from '../../src/tracker/ledger.js';
import { orphansOf } from '../../src/tracker/orphans.js';
import { assertRequests } from '../../src/tracker/own-requests.js';
import { type DecideCase, differences, type RecordedCase } from './cases.js';
import {
  type RecordedDevice,
  type RecordedSysfs,
  recordedFacts,
  reportedDevice,
} from './recorded-host.js';

interface VectorRequest {
  readonly request_id: string;
  readonly count: number;
  readonly spec: readonly RequestSpec[];
  readonly alias_name?: string;
  readonly requester_id?: string;
  readonly numa_policy?: NumaPolicy | null;
}

interface VectorStep {
  readonly update?: readonly RecordedDevice[];
  readonly claim?: {
    readonly instance: string;
    readonly requests: readonly VectorRequest[];
    readonly numa?: readonly number[] | null;
  };
  readonly allocate?: { readonly instance: string };
  readonly free?: { readonly instance: string };
  readonly free_claims?: { readonly instance: string };
  readonly free_allocations?: { readonly instance: string };
  readonly free_device?: { readonly instance: string; readonly address: string };
  readonly clean_usage?: {
    readonly instances: readonly string[];
    readonly migrations?: readonly string[];
  };
  readonly restart?: { readonly specs?: unknown };
}

interface ExpectedStep {
  readonly result?: readonly (readonly [string, string])[];
  readonly error?: string;
  readonly skipped?: boolean;
  readonly devs: unknown;
  readonly pools: unknown;
  readonly claims?: Readonly<Record<string, readonly string[]>>;
  readonly allocs?: Readonly<Record<string, readonly string[]>>;
}

export interface TrackerCase {
  readonly specs: unknown;
  readonly host_numa?: readonly HostCell[] | null;
  readonly sysfs?: RecordedSysfs;
  readonly steps: readonly VectorStep[];
}

export const decideTracker: DecideCase = (recorded) => {
  const { specs, host_numa, sysfs, steps } = recorded.case as RecordedCase['case'] & TrackerCase;
  const expected = recorded.expected as { readonly steps: readonly ExpectedStep[] };
  const host = new RecordedHost(specs, host_numa ?? null, sysfs);
  let devs: unknown = [];
  let pools: unknown = [];
  for (const [number, step] of steps.entries()) {
    const wanted = expected.steps[number];
    if (wanted === undefined) return [` step ${number}: nothing was recorded`];
    if (wanted.devs !== '=') devs = wanted.devs;
    if (wanted.pools !== '=') pools = wanted.pools;
    const place = ` step ${number} ${Object.keys(step)[0]}`;
    const found = [
      ...host.take(step, wanted).map((difference) => `${place}: ${difference}`),
      ...differences(host.devs(), (devs as unknown[][]).map(parsedExtra), `${place} devs`),
      ...differences(host.pools(), sortedPools(pools), `${place} pools`),
      ...differences(host.holdings('claimed'), sortedHoldings(wanted.claims), `${place} claims`),
      ...differences(host.holdings('allocated'), sortedHoldings(wanted.allocs), `${place} allocs`),
    ];
    // What follows would differ because of this.
    if (found.length > 0) return found;
  }
  return [];
};

class RecordedHost {
  readonly #cells: readonly HostCell[] | null;
  readonly #facts: PciFacts;
  readonly #specs: unknown;
  #spec: DeviceSpec;
  #ledger: Ledger;
  #claims = 0;

  constructor(specs: unknown, cells: readonly HostCell[] | null, sysfs: RecordedSysfs | undefined) {
    this.#cells = cells;
    this.#specs = specs;
    this.#facts = recordedFacts(sysfs);
    this.#spec = DeviceSpec.parse(specs, { pci: this.#facts });
    this.#ledger = new Ledger(this.#spec, { devices: [], claims: [], operations: [], fence: 0 });
  }

  /** What went another way than recorded. */
  take(step: VectorStep, wanted: ExpectedStep): string[] {
    if (step.update !== undefined) {
      const report = step.update.flatMap((device) => this.#admitted(device));
      this.#make(decideSync(this.#ledger, report));
    } else if (step.claim !== undefined) {
      return this.#claim(step.claim, wanted);
    } else if (step.allocate !== undefined) {
      const claims = this.#ledger.claimsOf(step.allocate.instance as InstanceId);
      this.#make(decideAllocate(this.#ledger, claims));
    } else if (step.free !== undefined) {
      this.#release(step.free.instance, () => true);
    } else if (step.free_claims !== undefined) {
      this.#release(step.free_claims.instance, (status) => status === 'claimed');
    } else if (step.free_allocations !== undefined) {
      this.#release(step.free_allocations.instance, (status) => status === 'allocated');
    } else if (step.free_device !== undefined) {
      return this.#freeDevice(step.free_device.instance, step.free_device.address, wanted);
    } else if (step.clean_usage !== undefined) {
      const instances = step.clean_usage.instances as readonly InstanceId[];
      const migrations = (step.clean_usage.migrations ?? []).map((instance) => ({
        id: null,
        instance: instance as InstanceId,
      }));
      const orphans = this.#ledger
        .claims()
        .filter(orphansOf({ instances, migrations }, this.#ledger));
      this.#make(
        decideRelease(
          this.#ledger,
          orphans.map((claim) => ({ claim, devices: null })),
        ),
      );
    } else if (step.restart !== undefined) {
      this.#restart(step.restart.specs);
    }
    return [];
  }

  devs(): unknown {
    return this.#records().map(({ device, status, instance, requestId }) => {
      const parent = device.parentAddress;
      const tracked =
        parent !== null &&
        this.#ledger.record(`pci/${parent}` as DeviceId)?.device.type === 'type-PF';
      const row = [
        device.address,
        status,
        instance,
        requestId,
        device.type,
        parent,
        device.numaNode,
        device.vendorId,
        device.productId,
        tracked ? parent : null,
      ];
      return parsedExtra(Object.keys(device.extra).length === 0 ? row : [...row, device.extra]);
    });
  }

  pools(): unknown {
    return sortedPools(
      this.#ledger.pools.map(({ keys, devices }) => ({
        ...keys,
        count: devices.length,
        devices: devices.map(({ device }) => device.address),
      })),
    );
  }

  holdings(status: 'claimed' | 'allocated'): unknown {
    const holdings: Record<string, string[]> = {};
    for (const claim of this.#ledger.claims()) {
      if (claim.status !== status) continue;
      holdings[claim.instance] ??= [];
      for (const { deviceId } of claim.devices) {
        holdings[claim.instance]?.push(deviceId.slice('pci/'.length));
      }
    }
    return sortedHoldings(holdings);
  }

  #records(): DeviceRecord[] {
    const ids = [...this.#ledger.deviceIds()].sort();
    return ids.flatMap((id) => this.#ledger.record(id) ?? []);
  }

  #make(decision: Decision): void {
    this.#ledger.apply(decision);
    this.#ledger.settle(decision);
  }

  #admitted(row: RecordedDevice): ReportedDevice[] {
    const device = isReadable(row.address ?? '') ? reportedDevice(row) : null;
    const admitted = device === null ? null : this.#spec.admitted(device);
    return admitted === null ? [] : [admitted];
  }

  #claim(
    { instance, requests, numa }: NonNullable<VectorStep['claim']>,
    { result, error }: ExpectedStep,
  ): string[] {
    const taken = new Map<string, DeviceId[]>();
    for (const [address, request] of result ?? []) {
      const id = `pci/${address}` as DeviceId;
      const ids = taken.get(request);
      if (ids === undefined) taken.set(request, [id]);
      else ids.push(id);
    }
    const id = `claim-${++this.#claims}` as ClaimId;
    const wish = {
      id,
      instance: instance as InstanceId,
      migration: null,
      numaCells: numa ?? null,
      requests: requests.map(deviceRequest),
    };
    try {
      assertRequests(wish.requests);
      const free = decideClaim(this.#ledger, wish, this.#cells);
      if (error !== undefined) return [`takes ${chosen(free)}, recorded ${error}`];
    } catch (caught) {
      if (!isRefusal(caught)) throw caught;
      return error === undefined ? [`fails: ${caught}`] : [];
    }
    const named = wish.requests.map((request) => ({
      ...request,
      deviceIds: taken.get(request.requestId) ?? [],
    }));
    this.#make(decideClaim(this.#ledger, { ...wish, requests: named }, this.#cells));
    return [];
  }

  #release(instance: string, which: (status: string) => boolean): void {
    const claims = this.#ledger.claimsOf(instance as InstanceId);
    const returned = claims.filter(({ status }) => which(status));
    this.#make(
      decideRelease(
        this.#ledger,
        returned.map((claim) => ({ claim, devices: null })),
      ),
    );
  }

  #freeDevice(instance: string, address: string, { skipped }: ExpectedStep): string[] {
    const id = `pci/${address}` as DeviceId;
    const record = this.#ledger.record(id);
    if (skipped === true) return record === undefined ? [] : [`${address} exists`];
    const returned = this.#ledger
      .claimsOf(instance as InstanceId)
      .filter(({ devices }) => devices.some(({ deviceId }) => deviceId === id))
      .map((claim): Returned => ({ claim, devices: [id] }));
    this.#make(decideRelease(this.#ledger, returned));
    return [];
  }

  #restart(specs: unknown): void {
    this.#spec = DeviceSpec.parse(specs ?? this.#specs, { pci: this.#facts });
    const devices = this.#records().map((value) => ({ version: 1, value }));
    const claims = this.#ledger.claims().map((value) => ({ version: 1, value }));
    this.#ledger = new Ledger(this.#spec, {
      devices,
      claims,
      operations: [],
      fence: this.#ledger.fence,
    });
  }
}

/** What has an address that no PCI function can have, or none that 16 bits of domain hold, is left out. */
function isReadable(address: string): boolean {
  try {
    parseGlob(address);
    return true;
  } catch {
    return false;
  }
}

function deviceRequest(request: VectorRequest): DeviceRequest {
  return {
    requestId: request.request_id as RequestId,
    count: request.count,
    spec: request.spec,
    numaPolicy: request.numa_policy ?? null,
    alias: request.alias_name ?? null,
    portId: (request.requester_id ?? null) as PortId | null,
  };
}

function isRefusal(error: unknown): boolean {
  if (error instanceof VdpaError) return error.code === 'CLAIM_UNSATISFIABLE';
  return error instanceof TypeError && error.message.startsWith('request');
}

function chosen({ claims }: Decision): string {
  return claims
    .flatMap(({ after }) => after?.value.devices ?? [])
    .map(({ deviceId }) => deviceId)
    .join(', ');
}

/** The row with its extra values, which may be JSON text, as what that text means. */
function parsedExtra(row: readonly unknown[]): unknown[] {
  const [extra] = row.slice(10);
  if (extra === undefined) return [...row];
  const parsed = Object.entries(extra as Readonly<Record<string, string>>).map(([key, value]) => [
    key,
    value.startsWith('{') ? JSON.parse(value) : value,
  ]);
  return [...row.slice(0, 10), Object.fromEntries(parsed)];
}

interface VectorPool {
  readonly devices: readonly (string | null)[];
}

function sortedPools(pools: unknown): unknown {
  return (pools as readonly VectorPool[])
    .map((pool) => ({ ...tagsAsText(pool), devices: [...pool.devices].sort() }))
    .sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1));
}

/** Tags are compared as text. */
function tagsAsText(pool: object): object {
  return Object.fromEntries(
    Object.entries(pool).map(([key, value]) => [
      key,
      (typeof value === 'object' && value !== null && key !== 'devices') ||
      typeof value === 'boolean' ||
      (typeof value === 'number' && key !== 'count' && key !== 'numa_node')
        ? JSON.stringify(value)
        : value,
    ]),
  );
}

const canonical = (pool: object): string =>
  JSON.stringify(Object.entries(pool).sort(([a], [b]) => (a < b ? -1 : 1)));

function sortedHoldings(holdings: Readonly<Record<string, readonly string[]>> = {}): unknown {
  return Object.fromEntries(
    Object.entries(holdings)
      .filter(([, addresses]) => addresses.length > 0)
      .map(([instance, addresses]) => [instance, [...addresses].sort()]),
  );
}
