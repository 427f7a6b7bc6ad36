import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OwnerClient } from '../../../src/lifecycle/owner-client.js';
import { mostRequestBytes } from '../../../src/lifecycle/owner-protocol.js';
import { OwnerSocket } from '../../../src/lifecycle/owner-socket.js';
import { vdpaRequest } from '../../support/requests.js';
import { long } from '../../support/test-length.js';
import { deskOf } from '../../support/tracker-desk.mjs';
import { card, instance } from '../tracker/support/devices.js';
import { asUser, Folder, Owner, RawPeer, until } from './support/owner.js';

const nobody = 65534;
const greeting = { protocol: 'vdpa-host-owner', version: 1 };
const pools = { id: 1, verb: 'pools' };

describe("the owner's socket", () => {
  test('is for its owner alone, whatever the umask, and leaves nothing beside it', async () => {
    const umask = process.umask(0);
    try {
      await using owner = await Owner.of();
      expect(statSync(owner.path).mode & 0o7777).toBe(0o600);
      expect(readdirSync(owner.folder.path)).toEqual(['store.sock']);
      await owner.socket.close();
      expect(readdirSync(owner.folder.path)).toEqual([]);
    } finally {
      process.umask(umask);
    }
  });

  test('replaces that of an owner that is gone, and what it left half made', async () => {
    await using owner = await Owner.of();
    const stale = `${owner.path}.kept`;
    renameSync(owner.path, stale);
    await owner.socket.close();
    renameSync(stale, owner.path);
    mkdirSync(`${owner.path}.new`);
    writeFileSync(`${owner.path}.new/socket`, '');

    await using socket = await OwnerSocket.listen(owner.path, deskOf(owner.tracker));
    await using client = await OwnerClient.connect(socket.path);
    expect(await client.records()).toHaveLength(5);
    expect(readdirSync(owner.folder.path)).toEqual(['store.sock']);
  });

  test('replaces nothing that is no socket', async () => {
    using folder = new Folder();
    const path = join(folder.path, 'store.sock');
    writeFileSync(path, 'mine');
    await using owner = await Owner.of();
    await expect(OwnerSocket.listen(path, deskOf(owner.tracker))).rejects.toMatchObject({
      code: 'OWNER_SOCKET_FAILED',
      errno: 'EEXIST',
      step: `listen at ${path}`,
    });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(readdirSync(folder.path)).toEqual(['store.sock']);
  });

  test('says when its folder is not there', async () => {
    await using owner = await Owner.of();
    const path = join(owner.folder.path, 'none', 'store.sock');
    await expect(OwnerSocket.listen(path, deskOf(owner.tracker))).rejects.toMatchObject({
      code: 'OWNER_SOCKET_FAILED',
      errno: 'ENOENT',
    });
  });

  test('may have a path that no address has room for', async () => {
    await using owner = await Owner.of();
    const folder = join(owner.folder.path, 'f'.repeat(200), 'g'.repeat(200));
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'store.sock');
    const socket = await OwnerSocket.listen(path, deskOf(owner.tracker));
    const client = await OwnerClient.connect(path);
    expect(await client.records()).toHaveLength(5);
    await client.close();
    await socket.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('stays where it is when another has taken its place', async () => {
    await using owner = await Owner.of();
    rmSync(owner.path);
    await using other = await OwnerSocket.listen(owner.path, deskOf(owner.tracker));
    await owner.socket.close();
    expect(existsSync(other.path)).toBe(true);
  });

  test('refuses a peer of another user, and says so', async () => {
    await using owner = await Owner.of();
    chmodSync(owner.folder.path, 0o755);
    chmodSync(owner.path, 0o666);
    await using peer = asUser(nobody, () => new RawPeer(owner.path));
    peer.send(pools);
    expect(await peer.read()).toMatchObject({
      id: null,
      error: { type: 'VdpaError', code: 'PERMISSION_DENIED' },
    });
    expect(await peer.read()).toBeNull();
  });
});

describe('a peer', () => {
  test('is greeted, and answered under the id that it gave', async () => {
    await using owner = await Owner.of();
    await using peer = new RawPeer(owner.path);
    expect(await peer.read()).toEqual(greeting);
    const wanted = { id: 'c1', instance: 'vm1', requests: [vdpaRequest()] };
    expect(await peer.ask({ id: 7, verb: 'claim', arguments: wanted })).toMatchObject({
      id: 7,
      value: { id: 'c1', fence: 1, devices: [{ deviceId: 'pci/0000:06:00.4' }] },
    });
    expect(await peer.ask({ id: 8, verb: 'release', arguments: { claim: 'c1' } })).toEqual({
      id: 8,
      value: ['pci/0000:06:00.4'],
    });
  });

  const nonsense: [string, string | Uint8Array, RegExp, number | null][] = [
    ['no JSON', '{"id": 1', /no JSON/, null],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), /no JSON/, null],
    ['no object', '[1]', /no JSON object/, null],
    ['no id', '{"verb": "pools"}', /^id: expected/, null],
    ['a fraction for an id', '{"id": 1.5, "verb": "pools"}', /^id: expected/, null],
    ['no verb', '{"id": 1}', /^verb: expected/, 1],
    ['a verb that there is not', '{"id": 1, "verb": "toString"}', /no verb "toString": one of/, 1],
    ['another key', '{"id": 1, "verb": "pools", "signal": 1}', /unknown keys: signal/, null],
    ['a cancel of nothing', '{"cancel": "all"}', /^cancel: expected/, null],
  ];

  test.each(nonsense)('that says %s is told so, and heard on', async (_, line, message, id) => {
    await using owner = await Owner.of();
    await using peer = await RawPeer.greeted(owner.path);
    peer.write(line);
    peer.write('\n');
    expect(await peer.read()).toMatchObject({
      id,
      error: { code: 'OWNER_PROTOCOL', message: expect.stringMatching(message) },
    });
    expect(await peer.ask(pools)).toMatchObject({ id: 1, value: [{}, {}] });
  });

  const wrong: [string, object, RegExp][] = [
    ['claim', { instance: 'vm1' }, /^claim: requests: /],
    ['claim', { instance: 'vm1', requests: [], deviceId: 'x' }, /"deviceId"/],
    [
      'claim',
      { instance: 'vm1', requests: [{ ...vdpaRequest(), count: 0 }] },
      /^claim: requests\.0\.count: /,
    ],
    [
      'supports',
      { requests: [{ ...vdpaRequest(), spec: [JSON.parse('{"__proto__": 5}')] }] },
      /^supports: requests\.0\.spec\.0: expected an object/,
    ],
    ['allocate', { device: 'pci/0000:06:00.1' }, /"device"/],
    ['release', {}, /^release: instance: /],
    ['release', { claim: 'c1', instance: 'vm1' }, /"instance"/],
    ['release', { claim: 'c1', fence: -1 }, /^release: fence: /],
    ['pools', { all: true }, /"all"/],
    ['claims', { instance: 5 }, /^claims: instance: /],
    ['reconcile', { instances: 'vm1' }, /^reconcile: instances: /],
    [
      'audit',
      { living: { instances: [], migrations: [{ id: 'm' }] } },
      /migrations\.0\.instance: /,
    ],
  ];

  test.each(wrong)('that calls %s with %o is told which key is wrong', async (verb, given, why) => {
    await using owner = await Owner.of();
    await using peer = await RawPeer.greeted(owner.path);
    expect(await peer.ask({ id: 1, verb, arguments: given })).toEqual({
      id: 1,
      error: { type: 'TypeError', message: expect.stringMatching(why) },
    });
  });

  test('may not use an id that is under way', async () => {
    await using owner = await Owner.of();
    const go = owner.store.hold();
    await using peer = await RawPeer.greeted(owner.path);
    const claim = { instance: 'vm1', requests: [vdpaRequest()] };
    peer.send({ id: 1, verb: 'claim', arguments: claim }, pools);
    expect(await peer.read()).toMatchObject({ id: null, error: { code: 'OWNER_PROTOCOL' } });
    go();
    expect(await peer.read()).toMatchObject({ id: 1, value: { instance: 'vm1' } });
  });

  test('that never ends a line is told so and sent away, and no other feels it', async () => {
    await using owner = await Owner.of();
    await using other = await RawPeer.greeted(owner.path);
    await using peer = await RawPeer.greeted(owner.path);
    peer.write(Buffer.alloc(mostRequestBytes + 1, 0x20));
    expect(await peer.read()).toMatchObject({ id: null, error: { code: 'OWNER_PROTOCOL' } });
    expect(await peer.read()).toBeNull();
    expect(await other.ask(pools)).toMatchObject({ id: 1, value: [{}, {}] });
  });

  test('may say all at once, and close its side', async () => {
    await using owner = await Owner.of();
    await using peer = await RawPeer.greeted(owner.path);
    peer.send(...Array.from({ length: 100 }, (_, id) => ({ id, verb: 'pools' })));
    peer.write('{"id": 100');
    peer.socket.end();
    for (let id = 0; id < 100; id++)
      expect(await peer.read()).toMatchObject({ id, value: [{}, {}] });
    expect(await peer.read()).toMatchObject({ id: null, error: { message: 'a line has no end' } });
    expect(await peer.read()).toBeNull();
  });

  test('has at most 32 requests under way', async () => {
    await using owner = await Owner.of(card('06', 100));
    const go = owner.store.hold();
    await using peer = await RawPeer.greeted(owner.path);
    const claim = (id: number) => ({
      id,
      verb: 'claim',
      arguments: { id: `c${id}`, instance: 'vm1', requests: [vdpaRequest()] },
    });
    peer.send(...Array.from({ length: 40 }, (_, id) => claim(id)));
    await using other = await RawPeer.greeted(owner.path);
    await other.ask(pools); // by then all that is heard has been begun
    expect(owner.tracker.fence).toBe(32);
    go();
    for (let id = 0; id < 40; id++) expect(await peer.read()).toMatchObject({ id });
    expect(owner.tracker.fence).toBe(40);
  });

  test('that reads nothing is not heard on, nor is anything kept for it', async () => {
    let asked = 0;
    const records = [{ text: 'x'.repeat(100_000) }];
    await using owner = await Owner.of([], {
      records: async () => {
        asked += 1;
        return records as never;
      },
    });
    await using peer = await RawPeer.greeted(owner.path);
    peer.socket.pause();
    peer.send(...Array.from({ length: 300 }, (_, id) => ({ id, verb: 'records' })));
    await using other = await RawPeer.greeted(owner.path);
    for (let turn = 0; turn < 50; turn++) await other.ask(pools);
    // What the kernel takes, and those that were under way when it took no more.
    expect(asked).toBeLessThan(100);
    peer.socket.resume();
    for (let id = 0; id < 300; id++) expect(await peer.read()).toMatchObject({ id });
    expect(asked).toBe(300);
  });

  test('that goes in the middle of a claim gets it all the same', async () => {
    await using owner = await Owner.of();
    const go = owner.store.hold();
    const wanted = { id: 'c1', instance: 'vm1', requests: [vdpaRequest()] };
    {
      await using peer = await RawPeer.greeted(owner.path);
      peer.send({ id: 1, verb: 'claim', arguments: wanted });
      await until(() => owner.tracker.fence === 1);
    }
    go();
    await using again = await RawPeer.greeted(owner.path);
    expect(await again.ask({ id: 1, verb: 'claim', arguments: wanted })).toMatchObject({
      value: { id: 'c1', fence: 1 },
    });
    expect(owner.tracker.claims()).toHaveLength(1);
  });

  test('breaks nothing for others, whatever it sends', async () => {
    await using owner = await Owner.of();
    await using other = await RawPeer.greeted(owner.path);
    const before = await other.ask(pools);
    const text = fc.constantFrom(
      '\n',
      '{"id":1,"verb":"pools"}\n',
      '{"id":2,"verb":"supports","arguments":{"requests":[]}}\n',
      '{"cancel":1}\n',
      '{"id":1,"verb":"__proto__"}\n',
      `${'['.repeat(5000)}\n`,
      '{"id":3,"verb":"audit","arguments":{"living":',
    );
    const piece = fc.oneof(
      text.map((line) => Buffer.from(line)),
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((json) => Buffer.from(`${json}\n`)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), fc.boolean(), async (pieces, rude) => {
        await using peer = await RawPeer.greeted(owner.path);
        for (const bytes of pieces) peer.write(bytes);
        if (!rude) {
          peer.socket.end();
          // Each answer is a document, and there is an end.
          while ((await peer.read()) !== null);
        }
        expect(await other.ask(pools)).toEqual(before);
      }),
      { numRuns: long ? 5000 : 100 },
    );
  });
});

describe('an owner that ends', () => {
  test('finishes what is under way, begins no more, and says so', async () => {
    await using owner = await Owner.of();
    const go = owner.store.hold();
    await using peer = await RawPeer.greeted(owner.path);
    const claim = { id: 'c1', instance: instance('vm1'), requests: [vdpaRequest()] };
    peer.send({ id: 1, verb: 'claim', arguments: claim });
    await until(() => owner.tracker.fence === 1);
    const closed = owner.socket.close();
    expect(existsSync(owner.path)).toBe(false);
    peer.send({ id: 2, verb: 'release', arguments: { claim: 'c1' } });
    go();
    expect(await peer.read()).toMatchObject({ id: 1, value: { id: 'c1' } });
    expect(await peer.read()).toEqual({ closing: true });
    expect(await peer.read()).toBeNull();
    peer.socket.end();
    await closed;
    expect(owner.tracker.claims()).toHaveLength(1);
  });

  test('does not wait for a peer that does not go', async () => {
    await using owner = await Owner.of();
    await using peer = await RawPeer.greeted(owner.path);
    const closed = once(peer.socket, 'close');
    await owner.socket.close();
    peer.socket.end();
    await closed;
  });
});
