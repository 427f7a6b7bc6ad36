import { describe, expect, onTestFinished, test } from 'vitest';
import type { InstanceId } from '../../../src/tracker/claim.js';
import type { Operation } from '../../../src/tracker/operation.js';
import type { OpenedStore, Store, StoreChange, StoreState } from '../../../src/tracker/store.js';
import {
  adding,
  claimId,
  claiming,
  claimOn,
  deviceId,
  freeDevice,
  heldDevice,
  releasing,
} from '../../support/stored.js';

/** A state without the order of its documents, which means nothing. */
function sorted({ devices, claims, operations, fence }: StoreState): StoreState {
  return {
    devices: devices.toSorted((a, b) => a.value.device.id.localeCompare(b.value.device.id)),
    claims: claims.toSorted((a, b) => a.value.id.localeCompare(b.value.id)),
    operations: operations.toSorted((a, b) => a.value.instance.localeCompare(b.value.instance)),
    fence,
  };
}

/**
 * What every store promises.
 *
 * @param make a new store, empty and not open; it goes with the test
 */
export function testStoreContract(name: string, make: () => Store): void {
  async function opened(): Promise<Store> {
    const store = make();
    await store.open();
    onTestFinished(() => store.close());
    return store;
  }

  async function reopened(store: Store): Promise<OpenedStore> {
    await store.close();
    const { state, ...rest } = await store.open();
    return { ...rest, state: sorted(state) };
  }

  describe(`${name} keeps the contract of stores:`, () => {
    test('a new one is empty, and its epoch is its own', async () => {
      const [one, other] = [make(), make()];
      const first = await one.open();
      const second = await other.open();
      onTestFinished(async () => {
        await one.close();
        await other.close();
      });
      expect(first).toEqual({
        epoch: expect.stringMatching(/^[0-9a-f-]{36}$/),
        revision: 0,
        state: { devices: [], claims: [], operations: [], fence: 0 },
      });
      expect(second.epoch).not.toBe(first.epoch);
    });

    test('what was committed is there when it is opened again', async () => {
      const store = await opened();
      const { epoch } = await reopened(store);
      const claim = claimOn('a', [0, 1], 7);
      const results = await store.commit([
        adding(0, 1, 2),
        claiming(claim, [
          [0, 1],
          [1, 1],
        ]),
      ]);
      expect(results).toEqual([
        { committed: true, revision: 1 },
        { committed: true, revision: 2 },
      ]);
      expect(await reopened(store)).toEqual({
        epoch,
        revision: 2,
        state: {
          devices: [
            { version: 2, value: heldDevice(0, claim) },
            { version: 2, value: heldDevice(1, claim) },
            { version: 1, value: freeDevice(2) },
          ],
          claims: [{ version: 1, value: claim }],
          operations: [],
          fence: 7,
        },
      });
    });

    test('a change that builds on another version is in conflict, and all of it is left out', async () => {
      const store = await opened();
      await store.commit([adding(0, 1)]);
      const claim = claimOn('a', [0, 1]);
      expect(
        await store.commit([
          claiming(claim, [
            [0, 1],
            [1, 2],
          ]),
        ]),
      ).toEqual([{ committed: false, conflict: deviceId(1) }]);
      expect(await store.commit([adding(2, 1)])).toEqual([
        { committed: false, conflict: deviceId(1) },
      ]);
      expect((await reopened(store)).state).toEqual(
        sorted({
          devices: [0, 1].map((index) => ({ version: 1, value: freeDevice(index) })),
          claims: [],
          operations: [],
          fence: 0,
        }),
      );
    });

    test('a claim that is there cannot be made, nor one that is not be changed or removed', async () => {
      const store = await opened();
      const [a, b] = [claimOn('a', []), claimOn('b', [])];
      const results = await store.commit([
        { devices: [], claims: [{ id: a.id, from: null, to: a }] },
        { devices: [], claims: [{ id: a.id, from: null, to: a }] },
        { devices: [], claims: [{ id: b.id, from: 1, to: b }] },
        { devices: [], claims: [{ id: b.id, from: 1, to: null }] },
      ]);
      expect(results).toEqual([
        { committed: true, revision: 1 },
        { committed: false, conflict: 'a' },
        { committed: false, conflict: 'b' },
        { committed: false, conflict: 'b' },
      ]);
    });

    test('a conflict leaves the others of its commit alone, each with what those before it made', async () => {
      const store = await opened();
      const [a, b, c] = [claimOn('a', [0]), claimOn('b', [0]), claimOn('c', [0], 3)];
      const results = await store.commit([
        adding(0),
        claiming(a, [[0, 1]]),
        claiming(b, [[0, 1]]),
        releasing(a, [[0, 2]]),
        claiming(c, [[0, 3]]),
      ]);
      expect(results).toEqual([
        { committed: true, revision: 1 },
        { committed: true, revision: 2 },
        { committed: false, conflict: deviceId(0) },
        { committed: true, revision: 3 },
        { committed: true, revision: 4 },
      ]);
      expect((await reopened(store)).state).toEqual({
        devices: [{ version: 4, value: heldDevice(0, c) }],
        claims: [{ version: 1, value: c }],
        operations: [],
        fence: 3,
      });
    });

    test('no device has two owners, whatever the versions say', async () => {
      const store = await opened();
      await store.commit([adding(0, 1), claiming(claimOn('a', [0]), [[0, 1]])]);
      const b = claimOn('b', [1, 0]);
      const twice = {
        devices: [],
        claims: [b, claimOn('c', [1])].map((to) => ({ id: to.id, from: null, to })),
      };
      expect(
        await store.commit([
          { devices: [], claims: [{ id: b.id, from: null, to: b }] },
          {
            devices: [],
            claims: [
              twice.claims[1] as never,
              { id: claimId('d'), from: null, to: claimOn('d', [1]) },
            ],
          },
        ]),
      ).toEqual([
        { committed: false, conflict: deviceId(0) },
        { committed: false, conflict: deviceId(1) },
      ]);
      expect((await reopened(store)).state.claims).toHaveLength(1);
    });

    test('a device passes from one claim to another in one change', async () => {
      const store = await opened();
      const [a, b] = [claimOn('a', [0, 1], 1), claimOn('b', [0], 2)];
      await store.commit([
        adding(0, 1),
        claiming(a, [
          [0, 1],
          [1, 1],
        ]),
      ]);
      const rest = claimOn('a', [1], 1);
      expect(
        await store.commit([
          {
            devices: [{ id: deviceId(0), from: 2, to: heldDevice(0, b) }],
            claims: [
              { id: b.id, from: null, to: b },
              { id: a.id, from: 1, to: rest },
            ],
          },
        ]),
      ).toEqual([{ committed: true, revision: 3 }]);
      expect((await reopened(store)).state.claims).toEqual([
        { version: 2, value: rest },
        { version: 1, value: b },
      ]);
    });

    test('the highest fence stays when its claim is gone', async () => {
      const store = await opened();
      const a = claimOn('a', [0], 41);
      await store.commit([adding(0), claiming(a, [[0, 1]]), releasing(a, [[0, 2]])]);
      expect((await reopened(store)).state.fence).toBe(41);
      await store.commit([claiming(claimOn('b', [0], 5), [[0, 3]])]);
      expect((await reopened(store)).state.fence).toBe(41);
    });

    test('changes tells what was written since a revision, and what went', async () => {
      const store = await opened();
      const [a, b] = [claimOn('a', [0], 1), claimOn('b', [1], 2)];
      await store.commit([adding(0, 1, 2), claiming(a, [[0, 1]])]);
      await store.commit([
        claiming(b, [[1, 1]]),
        releasing(a, [[0, 2]]),
        { devices: [{ id: deviceId(2), from: 1, to: null }], claims: [] },
      ]);
      const since = await store.changes(2);
      expect(since && { ...since, state: sorted(since.state) }).toEqual({
        revision: 5,
        state: {
          devices: [
            { version: 3, value: freeDevice(0) },
            { version: 2, value: heldDevice(1, b) },
          ],
          claims: [{ version: 1, value: b }],
          operations: [],
          fence: 2,
        },
        removedDevices: [deviceId(2)],
        removedClaims: [a.id],
        removedOperations: [],
      });
      expect(await store.changes(5)).toEqual({
        revision: 5,
        state: { devices: [], claims: [], operations: [], fence: 2 },
        removedDevices: [],
        removedClaims: [],
        removedOperations: [],
      });
    });

    test('an instance has one operation, which goes on, ends, and is known to have ended', async () => {
      const store = await opened();
      const vm1 = 'vm1' as InstanceId;
      const at = (step: string): Operation => ({
        instance: vm1,
        kind: 'suspend',
        step,
        detail: { ports: [{ claim: 'a', mtu: null }] },
      });
      const operation = (from: number | null, to: Operation | null): StoreChange => ({
        devices: [],
        claims: [],
        operations: [{ id: vm1, from, to }],
      });
      expect(
        await store.commit([operation(null, at('begun')), operation(null, at('other'))]),
      ).toEqual([
        { committed: true, revision: 1 },
        { committed: false, conflict: 'vm1' },
      ]);
      await store.commit([operation(1, at('out'))]);
      const operations = [{ version: 2, value: at('out') }];
      expect((await reopened(store)).state).toEqual({
        devices: [],
        claims: [],
        operations,
        fence: 0,
      });
      expect(await store.changes(1)).toMatchObject({
        state: { operations },
        removedOperations: [],
      });
      await store.commit([operation(2, null)]);
      expect(await store.changes(2)).toMatchObject({
        state: { operations: [] },
        removedOperations: [vm1],
      });
      expect((await reopened(store)).state.operations).toEqual([]);
    });

    test('a document that came back is no longer among those that went', async () => {
      const store = await opened();
      await store.commit([adding(0)]);
      await store.commit([{ devices: [{ id: deviceId(0), from: 1, to: null }], claims: [] }]);
      await store.commit([adding(0)]);
      expect(await store.changes(1)).toMatchObject({
        state: { devices: [{ version: 1, value: freeDevice(0) }] },
        removedDevices: [],
      });
    });

    test('a revision that it has not reached is one of another store', async () => {
      const store = await opened();
      expect(await store.changes(1)).toBeNull();
    });

    test('commits at once are answered each for itself, none is lost and none doubled', async () => {
      const store = await opened();
      await store.commit([adding(...Array.from({ length: 64 }, (_, index) => index))]);
      const answers = await Promise.all(
        Array.from({ length: 128 }, (_, index) =>
          // Each device is asked for twice.
          store.commit([
            claiming(claimOn(`c${index}`, [index >> 1], index + 1), [[index >> 1, 1]]),
          ]),
        ),
      );
      expect(answers.map(([result]) => result?.committed)).toEqual(
        Array.from({ length: 128 }, (_, index) => index % 2 === 0),
      );
      const revisions = answers.flatMap(([result]) => (result?.committed ? [result.revision] : []));
      expect(revisions.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 64 }, (_, i) => i + 2),
      );
      expect((await reopened(store)).state.claims).toHaveLength(64);
    });

    test('a commit of nothing is answered with nothing', async () => {
      const store = await opened();
      expect(await store.commit([])).toEqual([]);
      expect((await reopened(store)).revision).toBe(0);
    });

    test('one change that writes a document twice is a mistake', async () => {
      const store = await opened();
      await expect(store.commit([adding(0, 0)])).rejects.toThrow(TypeError);
      await expect(store.open()).rejects.toThrow(TypeError);
    });

    test('closing lets what was asked before be done', async () => {
      const store = await opened();
      const answers = [store.commit([adding(0)]), store.commit([adding(1)])];
      await store.close();
      expect((await Promise.all(answers)).flat()).toEqual([
        { committed: true, revision: 1 },
        { committed: true, revision: 2 },
      ]);
      expect((await store.open()).revision).toBe(2);
    });

    test('one that is not open refuses everything, and closing it again does nothing', async () => {
      const store = make();
      await expect(store.commit([])).rejects.toMatchObject({ code: 'CLOSED' });
      await store.open();
      await store.close();
      await store.close();
      await expect(store.commit([adding(0)])).rejects.toMatchObject({ code: 'CLOSED' });
      await expect(store.changes(0)).rejects.toMatchObject({ code: 'CLOSED' });
    });
  });
}
