import { chmodSync, linkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import { OwnerClient } from '../../../src/lifecycle/owner-client.js';
import { vdpaRequest } from '../../support/requests.js';
import { deskOf } from '../../support/tracker-desk.mjs';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { asUser, Folder, Owner, until } from './support/owner.js';

const vm1 = instance('vm1');
const vm2 = instance('vm2');
const c1 = claimId('c1');
const hello = '{"protocol":"vdpa-host-owner","version":1}\n';

/** Somebody else's server, which does with a connection what it is told to. */
async function impostor(folder: Folder, serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer(serve);
  await new Promise<void>((done) => server.listen(join(folder.path, 's'), done));
  return server;
}

/** What a call fails with. */
async function failure(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error,
  );
}

describe('a client of the owner', () => {
  test('is answered as the tracker would answer', async () => {
    await using owner = await Owner.of();
    await using client = await OwnerClient.connect(owner.path);
    const requests = [vdpaRequest(2, { mac: '02:00:00:00:00:01' })];
    expect(await client.supports({ requests })).toBe(true);
    const claim = await client.claim({ id: c1, instance: vm1, requests, numaCells: [0] });
    expect([claim]).toEqual(owner.tracker.claims());
    expect(claim.requests).toEqual(requests);
    expect(await client.claim({ id: c1, instance: vm1, requests, numaCells: [0] })).toEqual(claim);
    expect(await client.supports({ requests: [vdpaRequest(3)], numaCells: null })).toBe(false);
    expect(await client.records()).toEqual(owner.tracker.records());
    expect(await client.pools()).toEqual(owner.tracker.pools());
    const allocated = await client.allocate({ claim: c1, fence: claim.fence });
    expect(allocated).toEqual([{ ...claim, status: 'allocated' }]);
    expect(await client.claims()).toEqual(allocated);
    expect(await client.claims(vm2)).toEqual([]);
    const nobody = { instances: [vm2], migrations: [], asOf: 9 };
    expect(await client.audit(nobody)).toEqual(owner.tracker.audit(nobody));
    expect(await client.audit({ ...nobody, asOf: 0 })).toEqual([]);
    expect(await client.audit()).toEqual([]);
    expect(await client.heal(null)).toEqual([]);
    const [first] = claim.devices;
    const device = first?.deviceId as DeviceId;
    expect(await client.release({ claim: c1, devices: [] })).toEqual([]);
    expect(await client.release({ device })).toEqual([device]);
    expect(await client.reconcile({ instances: [vm2] })).toMatchObject([{ id: c1 }]);
    expect(owner.tracker.claims()).toEqual([]);
  });

  test('throws what the tracker throws', async () => {
    await using owner = await Owner.of();
    await using client = await OwnerClient.connect(owner.path);
    const impossible = { instance: vm1, requests: [vdpaRequest(9)] };
    for (const desk of [client, deskOf(owner.tracker)]) {
      await desk.claim({ id: c1, instance: vm1, requests: [] });
      expect(await failure(desk.allocate({ claim: c1, fence: 99 }))).toBeInstanceOf(VdpaError);
      await desk.release({ claim: c1 });
    }
    expect(await failure(client.claim(impossible))).toEqual(
      await failure(owner.tracker.claim(impossible)),
    );
    const twice = [vdpaRequest(), vdpaRequest()].map((one) => ({
      ...one,
      requestId: 'same' as never,
    }));
    expect(await failure(client.claim({ instance: vm1, requests: twice }))).toEqual(
      new TypeError('two requests have the same id'),
    );
  });

  test('gets every field of an error, and no more than the text of one that nobody foresaw', async () => {
    const error = new VdpaError('KERNEL_REFUSED', 'no', {
      errno: 'EINVAL',
      extack: 'unmanaged',
      attributeOffset: 20,
      step: 'DEV_NEW',
      outcome: 'partial',
      retry: 'never',
      leftovers: ['a device'],
    });
    await using owner = await Owner.of([], {
      heal: () => Promise.reject(error),
      pools: () => Promise.reject(new RangeError('a mistake')),
    });
    await using client = await OwnerClient.connect(owner.path);
    const thrown = await failure(client.heal());
    expect(thrown).toBeInstanceOf(VdpaError);
    expect({ ...(thrown as VdpaError) }).toEqual({ ...error });
    expect(thrown).toMatchObject({ message: 'no' });
    expect(await failure(client.pools())).toEqual(new Error('a mistake'));
  });

  test('keeps tags of any name, both ways', async () => {
    const keys = Object.assign(Object.create(null), { dev_type: 'vdpa' });
    Object.defineProperty(keys, '__proto__', { value: 'p', enumerable: true });
    let asked: unknown;
    await using owner = await Owner.of([], {
      pools: async () => [{ keys, devices: [] }],
      supports: async ({ requests }) => {
        asked = Object.entries(requests[0]?.spec[0] ?? {});
        return true;
      },
    });
    await using client = await OwnerClient.connect(owner.path);
    const [pool] = await client.pools();
    expect(Object.getPrototypeOf(pool?.keys)).toBeNull();
    expect(Object.entries(pool?.keys ?? {})).toEqual(Object.entries(keys));
    await client.supports({ requests: [vdpaRequest(1, { spec: [keys] })] });
    expect(asked).toEqual(Object.entries(keys));
  });

  test('asks many things at once, and gets each its own answer', async () => {
    await using owner = await Owner.of(card('06', 100));
    await using client = await OwnerClient.connect(owner.path);
    const ids = Array.from({ length: 100 }, (_, index) => claimId(`c${index}`));
    const claims = await Promise.all(
      ids.map((id) => client.claim({ id, instance: vm1, requests: [vdpaRequest()] })),
    );
    expect(claims.map(({ id }) => id)).toEqual(ids);
    expect(new Set(claims.map(({ devices }) => devices[0]?.deviceId)).size).toBe(100);
  });

  test('does not send what the owner would not hear out', async () => {
    await using owner = await Owner.of();
    await using client = await OwnerClient.connect(owner.path);
    const instances = Array.from({ length: 40_000 }, (_, index) =>
      instance(`00000000-0000-4000-8000-${index}`),
    );
    expect(await failure(client.reconcile({ instances }))).toBeInstanceOf(TypeError);
    expect(await client.records()).toHaveLength(5);
  });

  test('waits for its answers when it is closed, and asks nothing after that', async () => {
    await using owner = await Owner.of();
    const client = await OwnerClient.connect(owner.path);
    const go = owner.store.hold();
    const claim = client.claim({ id: c1, instance: vm1, requests: [vdpaRequest()] });
    const closed = client.close();
    go();
    expect(await claim).toMatchObject({ id: c1 });
    await closed;
    await expect(client.pools()).rejects.toMatchObject({ code: 'CLOSED' });
    await client.close();
  });
});

describe('an aborted claim', () => {
  test('is not asked for when it was aborted before', async () => {
    await using owner = await Owner.of();
    await using client = await OwnerClient.connect(owner.path);
    const signal = AbortSignal.abort('why');
    expect(await failure(client.claim({ instance: vm1, requests: [], signal }))).toBe('why');
    expect(owner.tracker.fence).toBe(0);
  });

  test('is given back before it rejects', async () => {
    await using owner = await Owner.of();
    await using client = await OwnerClient.connect(owner.path);
    const go = owner.store.hold();
    const abort = new AbortController();
    const requests = [vdpaRequest()];
    const claim = client.claim({ id: c1, instance: vm1, requests, signal: abort.signal });
    await until(() => owner.tracker.fence === 1);
    abort.abort('why');
    await client.pools(); // by then the owner has heard of it
    go();
    expect(await failure(claim)).toBe('why');
    expect(owner.tracker.claims()).toEqual([]);
    expect((await client.pools()).flatMap(({ devices }) => devices)).toHaveLength(5);
  });

  test('stands when the owner had answered', async () => {
    await using owner = await Owner.of([], {
      claim: async () => ({ id: c1 }) as never, // made, whatever the signal says
    });
    await using client = await OwnerClient.connect(owner.path);
    const abort = new AbortController();
    const claim = client.claim({ id: c1, instance: vm1, requests: [], signal: abort.signal });
    abort.abort('why');
    expect(await claim).toEqual({ id: c1 });
  });
});

describe('an owner that goes', () => {
  test('leaves it open what was done of a change, and not of a question', async () => {
    using folder = new Folder();
    let last: Socket | undefined;
    const between = await impostor(folder, (socket) => {
      last = socket;
      socket.write(hello);
    });
    const lost = await OwnerClient.connect(join(folder.path, 's'));
    const wanted = { id: c1, instance: vm1, requests: [vdpaRequest()] };
    const claim = failure(lost.claim(wanted));
    const read = failure(lost.pools());
    const release = failure(lost.release({ claim: c1 }));
    last?.destroy();
    expect(await claim).toMatchObject({
      code: 'OWNER_UNREACHABLE',
      outcome: 'unknown',
      retry: 'later',
      message: expect.stringContaining(
        'claim c1 was made is not known: ask again under the same id',
      ),
      leftovers: ['claim c1, if it was made'],
    });
    expect(await read).toMatchObject({ code: 'OWNER_UNREACHABLE', outcome: 'unchanged' });
    expect(await release).toMatchObject({ outcome: 'unknown', leftovers: [] });
    expect(await failure(lost.pools())).toMatchObject({ outcome: 'unchanged' });
    await lost.close();
    between.close();
  });

  test('makes an id for who gave none, so that it can be asked again', async () => {
    using folder = new Folder();
    const between = await impostor(folder, (socket) => {
      socket.write(hello);
      socket.once('data', () => socket.destroy());
    });
    const client = await OwnerClient.connect(join(folder.path, 's'));
    const error = await failure(client.claim({ instance: vm1, requests: [] }));
    expect(error).toMatchObject({ leftovers: [expect.stringMatching(/^claim [0-9a-f-]{36}, if/)] });
    between.close();
  });

  test('says what it did not begin', async () => {
    await using owner = await Owner.of(card('06', 100));
    const client = await OwnerClient.connect(owner.path);
    const go = owner.store.hold();
    const claims = Array.from({ length: 33 }, (_, index) => {
      const id = claimId(`c${index}`);
      return client.claim({ id, instance: vm1, requests: [vdpaRequest()] });
    });
    const settled = Promise.allSettled(claims);
    await until(() => owner.tracker.fence === 32);
    const closed = owner.socket.close();
    go();
    const [made, [last]] = [(await settled).slice(0, 32), (await settled).slice(32)];
    expect(made.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(last).toMatchObject({
      status: 'rejected',
      reason: { code: 'OWNER_UNREACHABLE', outcome: 'unchanged', retry: 'later' },
    });
    await closed;
    expect(owner.tracker.claims()).toHaveLength(32);
  });

  test('is not waited for without end', async () => {
    await using owner = await Owner.of();
    await using client = await OwnerClient.connect(owner.path, { timeoutMs: 50 });
    const go = owner.store.hold();
    const wanted = { id: c1, instance: vm1, requests: [vdpaRequest()] };
    expect(await failure(client.claim(wanted))).toMatchObject({
      code: 'OWNER_UNREACHABLE',
      outcome: 'unknown',
      leftovers: ['claim c1, if it was made'],
    });
    go();
    // The answer that came too late is nobody else's.
    expect(await client.claim(wanted)).toMatchObject({ id: c1, fence: 1 });
  });
});

describe('connecting', () => {
  test('says that nobody listens', async () => {
    using folder = new Folder();
    const path = join(folder.path, 's');
    expect(await failure(OwnerClient.connect(path))).toMatchObject({
      code: 'OWNER_UNREACHABLE',
      errno: 'ENOENT',
      retry: 'later',
      outcome: 'unchanged',
    });
    const listener = await impostor(folder, () => {});
    const stale = `${path}.stale`;
    linkSync(path, stale);
    await new Promise((done) => listener.close(done));
    expect(await failure(OwnerClient.connect(stale))).toMatchObject({
      code: 'OWNER_UNREACHABLE',
      errno: 'ECONNREFUSED',
    });
  });

  test('may be another user than the socket is for', async () => {
    await using owner = await Owner.of();
    chmodSync(owner.folder.path, 0o755);
    const connecting = asUser(65534, () => failure(OwnerClient.connect(owner.path)));
    expect(await connecting).toMatchObject({ code: 'PERMISSION_DENIED', errno: 'EACCES' });
  });

  test('trusts no other user that listens', async () => {
    using folder = new Folder();
    let heard = '';
    const server = createServer((socket) => {
      socket.on('data', (chunk) => {
        heard += chunk;
      });
      socket.on('error', () => {});
      socket.write(hello);
    });
    const path = join(folder.path, 's');
    // The kernel notes who began to listen, and not whose the file is.
    chmodSync(folder.path, 0o777);
    asUser(65534, () => server.listen(path));
    expect(await failure(OwnerClient.connect(path))).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('of user 65534'),
    });
    expect(heard).toBe('');
    server.close();
  });

  const others: [string, string, object][] = [
    [
      'another version',
      '{"protocol":"vdpa-host-owner","version":2}\n',
      {
        code: 'OWNER_PROTOCOL',
        retry: 'never',
        message: expect.stringMatching(/version 2 .* version 1/),
      },
    ],
    ['another protocol', '{"protocol":"http"}\n', { code: 'OWNER_PROTOCOL' }],
    ['no JSON', '220 mail.example ESMTP\n', { code: 'OWNER_PROTOCOL' }],
    ['nothing', '', { code: 'OWNER_UNREACHABLE', message: expect.stringContaining('50 ms') }],
  ];

  test.each(others)('to one that speaks %s fails', async (_, greeting, error) => {
    using folder = new Folder();
    const server = await impostor(folder, (socket) => {
      socket.on('error', () => {});
      socket.write(greeting);
    });
    const connecting = OwnerClient.connect(join(folder.path, 's'), { greetingMs: 50 });
    expect(await failure(connecting)).toMatchObject(error);
    server.close();
  });

  test('can be aborted', async () => {
    using folder = new Folder();
    const abort = new AbortController();
    const server = await impostor(folder, (socket) => {
      socket.on('error', () => {});
      abort.abort('why');
    });
    const { signal } = abort;
    expect(await failure(OwnerClient.connect(join(folder.path, 's'), { signal }))).toBe('why');
    server.close();
  });
});
