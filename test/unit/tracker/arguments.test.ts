import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeviceRequest } from '../../../src/policy/device-request.js';
import type { ReportedDevice } from '../../../src/policy/reported-device.js';
import type { ClaimArguments } from '../../../src/tracker/arguments.js';
import { MemoryStore } from '../../../src/tracker/memory-store.js';
import { readClaim, readDeviceRecord } from '../../../src/tracker/store-form.js';
import { Tracker } from '../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, device, everything, instance } from './support/devices.js';
import { trackerOf } from './support/hosts.js';

// As programs call it that have no types.

const halfPair = '\ud800';
const long = 'x'.repeat(1101);
const asked = (): ClaimArguments => ({ instance: instance('vm1'), requests: [vdpaRequest()] });

describe('a claim of another form is refused, and nothing of it stored', () => {
  test.each<[string, object, string]>([
    ['no instance', { instance: undefined }, 'claim: instance: is no name'],
    ['an empty instance', { instance: '' }, 'claim: instance: is no name'],
    ['an instance that is no text', { instance: 7 }, 'claim: instance: is no name'],
    ['a long id', { id: long }, 'claim: id: is no name'],
    ['an id of half a character', { id: `c${halfPair}` }, 'claim: id: is no name'],
    ['an id with a NUL', { id: 'a\0b' }, 'claim: id: is no name'],
    ['an empty migration', { migration: '' }, 'claim: migration: is no name'],
    ['a negative cell', { numaCells: [-1] }, 'claim: numaCells.0: is no whole number from 0'],
    ['minus zero', { numaCells: [-0] }, 'claim: numaCells.0: is no whole number from 0'],
    ['half a cell', { numaCells: [0.5] }, 'claim: numaCells.0: is no whole number from 0'],
    ['cells that are no list', { numaCells: 0 }, 'claim: numaCells: is no list'],
    ['no requests', { requests: undefined }, 'claim: requests: is no list'],
    ['a signal that is none', { signal: {} }, 'claim: signal: is no AbortSignal'],
    ['a key that is not known', { instence: 'vm1' }, 'claim: instence: is no key of it'],
  ])('%s', async (_, fields, words) => {
    const tracker = await trackerOf(card('06', 4));
    const claim = tracker.claim({ ...asked(), ...fields });
    await expect(claim).rejects.toThrow(words);
    await expect(claim).rejects.toBeInstanceOf(TypeError);
    expect(tracker.claims()).toEqual([]);
  });

  test.each<[string, object, string]>([
    ['an empty id', { requestId: '' }, 'requests: 0.requestId: is no name'],
    ['a count as text', { count: '1' }, 'requests: 0.count: is no whole number from 1'],
    ['a spec that is none', { spec: {} }, 'requests: 0.spec: is no list'],
    ['a key without value', { spec: [{ a: undefined }] }, 'requests: 0.spec.0.a: is no text'],
    ['half a character', { spec: [{ a: halfPair }] }, 'requests: 0.spec.0.a: is no text'],
    ['another policy', { numaPolicy: 'any' }, 'requests: 0.numaPolicy: is none of'],
    ['a MAC that is none', { mac: 'fa:16:3e:00:00' }, 'requests: 0.mac: is no MAC'],
    ['a MAC of a group', { mac: '01:00:5e:00:00:01' }, 'requests: 0.mac: is no MAC'],
    ['a MAC in capitals', { mac: 'FA:16:3E:00:00:01' }, 'requests: 0.mac: is no MAC'],
    ['a key that is not known', { deviceIDs: ['a'] }, 'requests: 0.deviceIDs: is no key of it'],
  ])('a request with %s', async (_, fields, words) => {
    const tracker = await trackerOf(card('06', 4));
    const requests = [{ ...vdpaRequest(), ...fields } as DeviceRequest];
    await expect(tracker.claim({ ...asked(), requests })).rejects.toThrow(words);
    await expect(tracker.claim({ ...asked(), requests })).rejects.toBeInstanceOf(TypeError);
    expect(() => tracker.supports({ requests })).toThrow(words);
    expect(tracker.claims()).toEqual([]);
  });
});

test.each<[string, object, string]>([
  ['no id', { id: '' }, 'device.id: is no name'],
  ['half a character', { id: `vdpa/${halfPair}` }, 'device.id: is no name'],
  ['another type', { type: 'vdpa2' }, 'device.type: is none of'],
  ['half a node', { numaNode: 0.5 }, 'device.numaNode: is no whole number'],
  ['an extra that is no text', { extra: { a: 1n } }, 'device.extra.a: is no text'],
  ['a key that is not known', { vpda: null }, 'device.vpda: is no key of it'],
])('a report of a device with %s is refused as a whole', async (_, fields, words) => {
  const tracker = await trackerOf(card('06', 1));
  const before = tracker.records();
  const devices = [device('0000:07:00.1'), device('0000:07:00.2', fields)];
  await expect(tracker.sync({ devices, cells: [] })).rejects.toThrow(words);
  await expect(tracker.sync({ devices, cells: [] })).rejects.toBeInstanceOf(TypeError);
  expect(tracker.records()).toEqual(before);
});

test('a report that is none is refused: it does not say that all is gone', async () => {
  const tracker = await trackerOf(card('06', 1));
  for (const report of [
    {},
    { devices: 'none', cells: null },
    { devices: [], cells: [{ id: 0 }] },
  ]) {
    await expect(tracker.sync(report as never)).rejects.toBeInstanceOf(TypeError);
  }
  expect(tracker.records()).toHaveLength(2);
});

describe('a selection of another form is refused, and nothing given back', () => {
  test.each<[object, string]>([
    [{}, 'allocate: names neither claim nor instance'],
    [{ claim: 'c1', fense: 3 }, 'fense: is no key of it'],
    [{ claim: 'c1', fence: '1' }, 'fence: is no whole number from 0'],
    [{ claim: 'c1', instance: 'vm1' }, 'instance: is no key of it'],
    [{ claim: undefined }, 'claim: is no name'],
    [{ instance: 'vm1', migration: 0 }, 'migration: is no name'],
  ])('%j', async (selection, words) => {
    const tracker = await trackerOf(card('06', 4));
    await tracker.claim({ ...asked(), id: claimId('c1') });
    await expect(tracker.allocate(selection as never)).rejects.toThrow(words);
    await expect(tracker.release(selection as never)).rejects.toBeInstanceOf(TypeError);
    expect(tracker.claims()).toMatchObject([{ status: 'claimed' }]);
  });

  test.each([
    [{ instance: 'vm1', devices: null }, 'release: devices: is no list'],
    [{ instance: 'vm1', devices: 'pci/0000:06:00.1' }, 'release: devices: is no list'],
    [{ device: 'pci/0000:06:00.1', fence: 1 }, 'release: fence: is no key of it'],
  ])('%j', async (selection, words) => {
    const tracker = await trackerOf(card('06', 4));
    await tracker.claim(asked());
    await expect(tracker.release(selection as never)).rejects.toThrow(new TypeError(words));
    expect(tracker.claims()).toHaveLength(1);
  });
});

describe('lists of who lives that are none are not read as if nobody lived', () => {
  test.each<[unknown, string]>([
    [undefined, 'living: is no object'],
    [['vm1'], 'living: is no object'],
    [{}, 'living: instances: is no list'],
    [{ instances: 'vm1' }, 'living: instances: is no list'],
    [{ instances: new Set(['vm1']) }, 'living: instances: is no list'],
    [{ instances: [{ id: 'vm1' }] }, 'living: instances.0: is no name'],
    [{ instances: ['vm1', ''] }, 'living: instances.1: is no name'],
    [{ instances: [], migration: [] }, 'living: migration: is no key of it'],
    [{ instances: [], migrations: {} }, 'living: migrations: is no list'],
    [{ instances: [], migrations: ['m1'] }, 'living: migrations.0: is no object'],
    [{ instances: [], migrations: [{ id: 'm1' }] }, 'living: migrations.0.instance: is no name'],
    [{ instances: [], asOf: '0' }, 'living: asOf: is no whole number from 0'],
    [{ instances: [], asOf: Number.NaN }, 'living: asOf: is no whole number from 0'],
  ])('%o', async (living, words) => {
    const tracker = await trackerOf(card('06', 4));
    await tracker.claim({ ...asked(), migration: 'm1' as never });
    await expect(tracker.reconcile(living as never)).rejects.toThrow(words);
    if (living !== undefined) {
      await expect(tracker.heal(living as never)).rejects.toThrow(words);
      expect(() => tracker.audit(living as never)).toThrow(words);
    }
    expect(tracker.claims()).toHaveLength(1);
  });
});

test('whatever it is called with, the store can read what it was given', async () => {
  const odd = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      null,
      undefined,
      '',
      halfPair,
      'a\0b',
      -1,
      -0,
      1.5,
      Number.NaN,
      1n,
      long,
      {},
      [],
    ),
  );
  const fieldsOf = (keys: readonly string[]) =>
    fc.dictionary(fc.constantFrom(...keys), odd, { maxKeys: 2, noNullPrototype: true });
  const claimKeys = ['id', 'instance', 'migration', 'numaCells', 'requests'];
  const requestKeys = ['requestId', 'count', 'spec', 'numaPolicy', 'alias', 'portId', 'mac'];
  const deviceKeys = ['id', 'type', 'address', 'vendorId', 'numaNode', 'extra', 'vdpa', 'reasons'];
  await fc.assert(
    fc.asyncProperty(
      fieldsOf(claimKeys),
      fieldsOf(requestKeys),
      fieldsOf(deviceKeys),
      async (claim, request, reported) => {
        const store = new MemoryStore();
        const tracker = await Tracker.open(store, everything);
        const devices = [...card('06', 2), { ...device('0000:07:00.1'), ...reported }];
        await only(TypeError, tracker.sync({ devices: devices as ReportedDevice[], cells: null }));
        await tracker.sync({ devices: card('06', 2), cells: null });
        const requests = [{ ...vdpaRequest(), ...request }];
        await only(Error, tracker.claim({ ...asked(), requests, ...claim } as ClaimArguments));
        await tracker.close();
        const { state } = await store.open();
        for (const { value } of state.devices) {
          expect(readDeviceRecord(value.device.id, JSON.stringify(value))).toEqual(value);
        }
        for (const { value } of state.claims) {
          expect(readClaim(value.id, JSON.stringify(value))).toEqual(value);
        }
      },
    ),
  );
});

/** Whether it succeeds or not; when not, then with such an error. */
async function only(kind: typeof Error, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error !== null) expect(error).toBeInstanceOf(kind);
}
