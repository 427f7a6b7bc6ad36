import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { pciDeviceId } from '../../../src/host/device-id.js';
import type { DeviceRequest, RequestId } from '../../../src/policy/device-request.js';
import type { NumaPolicy } from '../../../src/policy/numa-policy.js';
import type { ReportedDevice } from '../../../src/policy/reported-device.js';
import { Ledger } from '../../../src/tracker/ledger.js';
import { MemoryStore } from '../../../src/tracker/memory-store.js';
import type { Store } from '../../../src/tracker/store.js';
import { Tracker } from '../../../src/tracker/tracker.js';
import { isHeld } from '../../../src/tracker/transitions.js';
import { long } from '../../support/test-length.js';
import { card, claimId, everything, instance } from './support/devices.js';
import { FaultyStore } from './support/faulty-store.js';

// Laws of the tracker, over random hosts and random calls, some of them at once.

const cells = [
  { id: 0, socket: 0 },
  { id: 1, socket: 0 },
  { id: 2, socket: 1 },
];

interface Part {
  readonly vfs: number;
  readonly numaNode: number | null;
  readonly physnet: string | null;
  readonly plain: number;
}

const part: fc.Arbitrary<Part> = fc.record({
  vfs: fc.integer({ min: 0, max: 4 }),
  numaNode: fc.constantFrom(null, 0, 1, 2),
  physnet: fc.constantFrom(null, 'net1', 'net2'),
  plain: fc.integer({ min: 0, max: 2 }),
});

function hostOf(parts: readonly Part[], missing: ReadonlySet<number>): ReportedDevice[] {
  const devices = parts.flatMap(({ vfs, numaNode, physnet, plain }, index) =>
    card(`0${index + 1}`, vfs, { numaNode, extra: physnet === null ? {} : { physnet } }).map(
      (device, place): ReportedDevice =>
        place > 0 && place <= plain ? { ...device, type: 'type-VF' } : device,
    ),
  );
  return devices.filter((_, place) => !missing.has(place));
}

const request: fc.Arbitrary<DeviceRequest> = fc.record({
  requestId: fc.uuid().map((id) => id as RequestId),
  count: fc.integer({ min: 1, max: 2 }),
  spec: fc.array(
    fc.record(
      {
        dev_type: fc.constantFrom('vdpa', 'vdpa', 'type-VF', 'type-PF'),
        physical_network: fc.constantFrom(null, 'net1', 'NET2'),
      },
      { requiredKeys: ['dev_type'] },
    ),
    { minLength: 1, maxLength: 2 },
  ),
  numaPolicy: fc.constantFrom<NumaPolicy | null>(null, 'required', 'socket', 'preferred', 'legacy'),
  alias: fc.constant(null),
  portId: fc.constant(null),
});

type Step =
  | {
      readonly do: 'claim';
      readonly of: number;
      readonly requests: readonly DeviceRequest[];
      readonly numaCells: readonly number[] | null;
    }
  | { readonly do: 'allocate' | 'release' | 'releaseOne'; readonly of: number }
  | { readonly do: 'sync'; readonly missing: readonly number[] }
  | { readonly do: 'restart' | 'full' | 'lose' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      of: fc.integer({ min: 0, max: 3 }),
      requests: fc.array(request, { minLength: 1, maxLength: 3 }),
      numaCells: fc.constantFrom(null, [0], [1, 2]),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('allocate' as const, 'release' as const, 'releaseOne' as const),
      of: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('sync' as const),
      missing: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('restart' as const, 'full' as const, 'lose' as const),
    }),
  },
);

/** Steps of a group are called at once. */
const story = fc.record({
  parts: fc.array(part, { minLength: 1, maxLength: 3 }),
  groups: fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 12 }),
});

async function laws(tracker: Tracker): Promise<void> {
  const records = tracker.records();
  const byId = new Map(records.map((record) => [record.device.id, record]));
  // Pools are a function of the records, and of the claims that are there.
  const fresh = new Ledger(everything, {
    devices: records.map((value) => ({ version: 1, value })),
    claims: tracker.claims().map((value) => ({ version: 1, value })),
    operations: [],
    fence: tracker.fence,
  });
  expect(tracker.pools()).toEqual(
    fresh.pools.map(({ keys, devices }) => ({
      keys,
      devices: devices.map(({ device }) => device.id),
    })),
  );
  const pooled = new Set(tracker.pools().flatMap(({ devices }) => devices));
  const holders = new Map<string, string>();
  for (const claim of tracker.claims()) {
    for (const { deviceId, requestId } of claim.devices) {
      expect(holders.has(deviceId)).toBe(false);
      holders.set(deviceId, claim.id);
      expect(byId.get(deviceId)).toMatchObject({
        claimId: claim.id,
        instance: claim.instance,
        requestId,
        status: claim.status,
      });
    }
  }
  for (const record of records) {
    const { device, status } = record;
    expect(record.claimId).toBe(holders.get(device.id) ?? null);
    expect(isHeld(record)).toBe(holders.has(device.id));
    const children = records.filter(({ device: child }) => child.parentAddress === device.address);
    if (device.type === 'type-PF') {
      const used = children.some(isHeld);
      expect(pooled.has(device.id)).toBe(status === 'available' && !used);
      if (!isHeld(record)) expect(status === 'available').toBe(!used);
      if (isHeld(record)) expect(used).toBe(false);
    } else {
      const pf = device.parentAddress && byId.get(pciDeviceId(device.parentAddress));
      if (!isHeld(record)) expect(status === 'available').toBe(!pf || !isHeld(pf));
      expect(pooled.has(device.id)).toBe(status === 'available');
    }
  }
  expect(tracker.audit().filter(({ healable }) => healable)).toEqual([]);
}

async function run({
  parts,
  groups,
}: {
  parts: readonly Part[];
  groups: readonly (readonly Step[])[];
}): Promise<void> {
  const inner = new MemoryStore();
  let store = new FaultyStore(inner);
  let tracker = await Tracker.open(store as Store, everything);
  let host = hostOf(parts, new Set());
  await tracker.sync({ devices: host, cells });
  let claims = 0;
  for (const group of groups) {
    const calls: Promise<unknown>[] = [];
    let restart = false;
    for (const one of group) {
      if (one.do === 'claim') {
        const wish = {
          id: claimId(`c${++claims}`),
          instance: instance(`vm${one.of}`),
          requests: one.requests,
          numaCells: one.numaCells,
        };
        const supported = tracker.supports(wish);
        const answer = tracker.claim(wish).then(
          () => 'claimed',
          (error: unknown) => (error instanceof VdpaError ? error.code : Promise.reject(error)),
        );
        calls.push(
          answer.then((found) => {
            if (found.startsWith('STORE_')) return;
            expect(found).toBe(supported ? 'claimed' : 'CLAIM_UNSATISFIABLE');
          }),
        );
      } else if (one.do === 'allocate') {
        calls.push(tracker.allocate({ instance: instance(`vm${one.of}`) }));
      } else if (one.do === 'release') {
        calls.push(tracker.release({ instance: instance(`vm${one.of}`) }));
      } else if (one.do === 'releaseOne') {
        const held = tracker.records().filter(isHeld)[one.of];
        if (held !== undefined) calls.push(tracker.release({ device: held.device.id }));
      } else if (one.do === 'sync') {
        host = hostOf(parts, new Set(one.missing));
        calls.push(tracker.sync({ devices: host, cells }));
      } else if (one.do === 'full') {
        store.fail({ before: new VdpaError('STORE_FULL', 'full', { outcome: 'unchanged' }) });
      } else if (one.do === 'lose') {
        store.fail({ after: new VdpaError('STORE_FAILED', 'lost', { outcome: 'unknown' }) });
      } else restart = true;
      // Calls that wait for one another in other ways come in between.
      if (calls.length % 2 === 1) await null;
    }
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === 'fulfilled') continue;
      if (!(result.reason instanceof VdpaError)) throw result.reason;
      expect(result.reason.code).toMatch(/^STORE_(FULL|FAILED)$/);
    }
    store.clear();
    // After a failure the store is being read again: a call waits for that.
    await tracker.release({ instance: instance('nobody') });
    await laws(tracker);
    if (restart) {
      const before = [tracker.records(), tracker.claims(), tracker.pools()];
      await tracker.close();
      store = new FaultyStore(inner);
      tracker = await Tracker.open(store, everything);
      expect([tracker.records(), tracker.claims(), tracker.pools()]).toEqual(before);
      await tracker.sync({ devices: host, cells });
    }
  }
}

test('whatever is called, and whatever the store does, records and claims agree and pools follow', async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: long ? 5000 : 300 });
});

/** Tries every device for every unit of every request, by rules written anew. */
function exhaustive(
  host: readonly ReportedDevice[],
  requests: readonly DeviceRequest[],
  guest: readonly number[] | null,
): boolean {
  const fits = (device: ReportedDevice, { spec, numaPolicy }: DeviceRequest): boolean => {
    const types = spec.map((one) => one['dev_type']);
    if (['type-PF', 'vdpa'].includes(device.type) && !types.includes(device.type)) return false;
    const alike = spec.some(
      (one) =>
        one['dev_type'] === device.type &&
        (!('physical_network' in one) ||
          (one['physical_network']?.toLowerCase() ?? null) === (device.extra['physnet'] ?? null)),
    );
    if (!alike || guest === null) return alike;
    const node = device.numaNode;
    if (node !== null && guest.includes(node)) return true;
    if (numaPolicy === 'preferred') return true;
    if (numaPolicy === 'required') return false;
    const socket = (id: number | null) => cells.find((cell) => cell.id === id)?.socket;
    if (numaPolicy === 'socket')
      return node !== null && guest.some((id) => socket(id) === socket(node));
    return node === null;
  };
  const units = requests.flatMap((one) => Array<DeviceRequest>(one.count).fill(one));
  const taken: ReportedDevice[] = [];
  const excludes = (a: ReportedDevice, b: ReportedDevice): boolean =>
    a.id === b.id ||
    (a.type === 'type-PF' && b.parentAddress === a.address) ||
    (b.type === 'type-PF' && a.parentAddress === b.address);
  const place = (unit: number): boolean => {
    const wanted = units[unit];
    if (wanted === undefined) return true;
    return host.some((device) => {
      if (!fits(device, wanted) || taken.some((other) => excludes(device, other))) return false;
      taken.push(device);
      if (place(unit + 1)) return true;
      taken.pop();
      return false;
    });
  };
  return place(0);
}

test('a claim fails exactly when trying everything finds no devices for it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 3 }),
      fc.array(request, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(null, [0], [1], [1, 2]),
      async (parts, requests, numaCells) => {
        const host = hostOf(parts, new Set());
        const tracker = await Tracker.open(new MemoryStore(), everything);
        await tracker.sync({ devices: host, cells });
        const wish = { requests, numaCells };
        expect(tracker.supports(wish)).toBe(exhaustive(host, requests, numaCells));
        const claimed = await tracker.claim({ ...wish, instance: instance('vm') }).then(
          ({ devices }) => devices.length === requests.reduce((sum, { count }) => sum + count, 0),
          () => false,
        );
        expect(claimed).toBe(tracker.claims().length === 1);
        expect(claimed).toBe(exhaustive(host, requests, numaCells));
      },
    ),
    { numRuns: long ? 20_000 : 1000 },
  );
});

test('claiming and giving back restores what was to be had, and every status', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 3 }),
      fc.array(request, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (parts, requests, allocate) => {
        const tracker = await Tracker.open(new MemoryStore(), everything);
        await tracker.sync({ devices: hostOf(parts, new Set()), cells });
        const seen = (): unknown => [
          tracker.records().map(({ device, status, claimId: of }) => [device.id, status, of]),
          tracker.pools().map(({ keys, devices }) => [keys, [...devices].sort()]),
        ];
        const before = seen();
        if (!tracker.supports({ requests })) return;
        const { id } = await tracker.claim({ instance: instance('vm'), requests });
        expect(isDeepStrictEqual(seen(), before)).toBe(false);
        if (allocate) await tracker.allocate({ claim: id });
        await tracker.release({ claim: id });
        expect(seen()).toEqual(before);
      },
    ),
    { numRuns: long ? 5000 : 300 },
  );
});
