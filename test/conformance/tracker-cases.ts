import { isDeepStrictEqual } from 'node:util';
import { VdpaError } from '../../src/errors.js';
import type { DeviceId } from '../../src/host/device-id.js';
import type { PciAddress } from '../../src/host/pci-address.js';
import type {
  DeviceRequest,
  PortId,
  RequestId,
  RequestSpec,
} from '../../src/policy/device-request.js';
import { DeviceSpec } from '../../src/policy/device-spec.js';
import type { NumaPolicy } from '../../src/policy/numa-policy.js';
import type { PciFacts } from '../../src/policy/pci-facts.js';
import type { DeviceType, ReportedDevice } from '../../src/policy/reported-device.js';
import type { ClaimId, InstanceId } from '../../src/tracker/claim.js';
import { decideAllocate, decideClaim } from '../../src/tracker/decide-claim.js';
import { decideRelease, type Returned } from '../../src/tracker/decide-release.js';
import { decideSync } from '../../src/tracker/decide-sync.js';
import type { Decision } from '../../src/tracker/decision.js';
import type { DeviceRecord } from '../../src/tracker/device-record.js';
import { Ledger } from '../../src/tracker/ledger.js';
import { isOrphan } from '../../src/tracker/orphans.js';
import type { HostCell } from '../../src/tracker/pool-filter.js';

interface VectorDevice {
  readonly address: string;
  readonly vendor_id: string;
  readonly product_id: string;
  readonly numa_node: number | null;
  readonly dev_type: DeviceType;
  readonly parent_addr?: string | null;
  readonly [extra: string]: unknown;
}

interface VectorRequest {
  readonly request_id: string;
  readonly count: number;
  readonly spec: readonly RequestSpec[];
  readonly alias_name?: string;
  readonly requester_id?: string;
  readonly numa_policy?: NumaPolicy | null;
}

interface VectorStep {
  readonly update?: readonly VectorDevice[];
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
  readonly sysfs: Sysfs;
  readonly steps: readonly VectorStep[];
}

interface Sysfs {
  readonly netdevs?: Readonly<Record<string, string>>;
  readonly devices?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What differs first from what was recorded; null when nothing does. */
export function trackerDifference(
  { specs, host_numa, sysfs, steps }: TrackerCase,
  expected: { readonly steps: readonly ExpectedStep[] },
): string | null {
  const host = new VectorHost(specs, host_numa ?? null, sysfs);
  let devs: unknown = [];
  let pools: unknown = [];
  for (const [number, step] of steps.entries()) {
    const wanted = expected.steps[number];
    if (wanted === undefined) return `step ${number}: nothing was recorded`;
    const found = host.take(step, wanted);
    if (wanted.devs !== '=') devs = wanted.devs;
    if (wanted.pools !== '=') pools = wanted.pools;
    const difference =
      found ??
      differing('devs', host.devs(), (devs as unknown[][]).map(parsedExtra)) ??
      differing('pools', host.pools(), sortedPools(pools)) ??
      differing('claims', host.holdings('claimed'), sortedHoldings(wanted.claims)) ??
      differing('allocs', host.holdings('allocated'), sortedHoldings(wanted.allocs));
    if (difference !== null) return `step ${number} ${Object.keys(step)[0]}: ${difference}`;
  }
  return null;
}

class VectorHost {
  readonly #cells: readonly HostCell[] | null;
  readonly #facts: PciFacts;
  readonly #specs: unknown;
  #spec: DeviceSpec;
  #ledger: Ledger;
  #claims = 0;

  constructor(specs: unknown, cells: readonly HostCell[] | null, sysfs: Sysfs) {
    this.#cells = cells;
    this.#specs = specs;
    this.#facts = pciFacts(sysfs);
    this.#spec = DeviceSpec.parse(specs, { pci: this.#facts });
    this.#ledger = new Ledger(this.#spec, { devices: [], claims: [], fence: 0 });
  }

  /** What went another way than recorded. */
  take(step: VectorStep, wanted: ExpectedStep): string | null {
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
        .filter((claim) => isOrphan(claim, { instances, migrations }));
      this.#make(
        decideRelease(
          this.#ledger,
          orphans.map((claim) => ({ claim, devices: null })),
        ),
      );
    } else if (step.restart !== undefined) {
      this.#restart(step.restart.specs);
    }
    return null;
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

  #admitted(row: VectorDevice): ReportedDevice[] {
    const device = reported(row);
    const entry = this.#spec.match(device);
    if (entry === null) return [];
    return [{ ...device, extra: { ...device.extra, ...entry.enhanced } }];
  }

  #claim(
    { instance, requests, numa }: NonNullable<VectorStep['claim']>,
    { result, error }: ExpectedStep,
  ): string | null {
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
      const free = decideClaim(this.#ledger, wish, this.#cells);
      if (error !== undefined)
        return `was recorded to fail with ${error}, and takes ${chosen(free)}`;
    } catch (caught) {
      if (!(caught instanceof VdpaError) || caught.code !== 'CLAIM_UNSATISFIABLE') throw caught;
      return error === undefined ? `fails: ${caught.message}` : null;
    }
    const named = wish.requests.map((request) => ({
      ...request,
      deviceIds: taken.get(request.requestId) ?? [],
    }));
    this.#make(decideClaim(this.#ledger, { ...wish, requests: named }, this.#cells));
    return null;
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

  #freeDevice(instance: string, address: string, { skipped }: ExpectedStep): string | null {
    const id = `pci/${address}` as DeviceId;
    const record = this.#ledger.record(id);
    if (skipped === true) return record === undefined ? null : `${address} exists`;
    const returned = this.#ledger
      .claimsOf(instance as InstanceId)
      .filter(({ devices }) => devices.some(({ deviceId }) => deviceId === id))
      .map((claim): Returned => ({ claim, devices: [id] }));
    this.#make(decideRelease(this.#ledger, returned));
    return null;
  }

  #restart(specs: unknown): void {
    this.#spec = DeviceSpec.parse(specs ?? this.#specs, { pci: this.#facts });
    const devices = this.#records().map((value) => ({ version: 1, value }));
    const claims = this.#ledger.claims().map((value) => ({ version: 1, value }));
    this.#ledger = new Ledger(this.#spec, { devices, claims, fence: this.#ledger.fence });
  }
}

function reported({
  address,
  vendor_id,
  product_id,
  numa_node,
  dev_type,
  parent_addr,
  ...extra
}: VectorDevice): ReportedDevice {
  return {
    id: `pci/${address}` as DeviceId,
    type: dev_type,
    address: address as PciAddress,
    vendorId: vendor_id,
    productId: product_id,
    numaNode: numa_node,
    parentAddress: (parent_addr ?? null) as PciAddress | null,
    extra: Object.fromEntries(
      Object.entries(extra).map(([key, value]) => [
        key,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    ),
    vdpa: null,
    reasons: [],
  };
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

function pciFacts({ netdevs = {}, devices = {} }: Sysfs): PciFacts {
  return {
    functionOfNetdev: (name) => (netdevs[name] ?? null) as PciAddress | null,
    physicalFunction: (address) => {
      const files = devices[address];
      if (files === undefined || !(Number(files['sriov_totalvfs']) > 0)) return null;
      const id = (name: string): string => (files[name] ?? '').trim().replace(/^0x/, '');
      return {
        vendorId: id('vendor'),
        productId: id('device'),
        vfProductId: id('sriov_vf_device'),
      };
    },
  };
}

function chosen({ claims }: Decision): string {
  return claims
    .flatMap(({ after }) => after?.value.devices ?? [])
    .map(({ deviceId }) => deviceId)
    .join(', ');
}

function differing(what: string, found: unknown, wanted: unknown): string | null {
  // As they were recorded: JSON knows neither undefined nor objects without a prototype.
  const plain = JSON.parse(JSON.stringify(found));
  if (isDeepStrictEqual(plain, wanted)) return null;
  if (!Array.isArray(plain) || !Array.isArray(wanted)) {
    return `${what} are ${JSON.stringify(plain)} and were recorded as ${JSON.stringify(wanted)}`;
  }
  const only = (some: readonly unknown[], others: readonly unknown[]): string =>
    some
      .filter((row) => !others.some((other) => isDeepStrictEqual(row, other)))
      .map((row) => JSON.stringify(row))
      .join(', ');
  return `${what} have ${only(plain, wanted)} and were recorded with ${only(wanted, plain)}`;
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
