import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VdpaError } from '../../src/errors.js';
import type { ClaimDesk } from '../../src/lifecycle/claim-desk.js';
import { openDesk, ownerSocketPath } from '../../src/lifecycle/open-desk.js';
import { OwnerClient } from '../../src/lifecycle/owner-client.js';
import { OwnerSocket } from '../../src/lifecycle/owner-socket.js';
import { Supervisor } from '../../src/lifecycle/supervisor.js';
import { vdpaRequest } from '../support/requests.js';
import { deskOf } from '../support/tracker-desk.js';
import { card, claimId, instance } from '../unit/tracker/support/devices.js';
import { FaultyStore } from '../unit/tracker/support/faulty-store.js';
import { trackerOf } from '../unit/tracker/support/hosts.js';

let folder: string;
let path: string;
let store: FaultyStore;
let desk: ClaimDesk & AsyncDisposable;
let owner: OwnerSocket;
const clients: OwnerClient[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'owner-'));
  path = join(folder, 'store.sock');
  store = new FaultyStore();
  desk = deskOf(await trackerOf(card('06', 4), { store }));
  owner = await OwnerSocket.listen(path, desk);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await owner.close();
  await desk[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const vm1 = instance('vm1');

async function client(): Promise<OwnerClient> {
  const connected = await OwnerClient.connect(path, { timeoutMs: 10_000 });
  clients.push(connected);
  return connected;
}

/** What the owner says to bytes, until it ends the connection or has said so many lines. */
async function said(bytes: Buffer | string, lines: number): Promise<Record<string, unknown>[]> {
  const socket = connect({ path, allowHalfOpen: true });
  sockets.push(socket);
  const heard: Record<string, unknown>[] = [];
  const reader = createInterface({ input: socket });
  reader.on('line', (line) => heard.push(JSON.parse(line)));
  socket.on('error', () => {});
  socket.write(bytes);
  while (heard.length < lines && !socket.destroyed && !socket.readableEnded) await sleep(5);
  socket.destroy();
  return heard;
}

describe('a desk over the socket', () => {
  test('answers as the owner’s own', async () => {
    const remote = await client();
    const asked = { id: claimId('c1'), instance: vm1, requests: [vdpaRequest(2)] };
    const claim = await remote.claim(asked);
    expect(await desk.claims()).toEqual([claim]);
    expect(await remote.claim(asked)).toEqual(claim);
    expect(await remote.allocate({ claim: claim.id, fence: claim.fence })).toEqual([
      { ...claim, status: 'allocated' },
    ]);
    expect(await remote.claims(vm1)).toHaveLength(1);
    expect(await remote.claims(instance('other'))).toEqual([]);
    expect(await remote.pools()).toEqual(await desk.pools());
    expect(await remote.records()).toEqual(await desk.records());
    expect(await remote.supports({ requests: [vdpaRequest(3)] })).toBe(false);
    expect(await remote.audit({ instances: [] })).toHaveLength(1);
    expect(await remote.audit()).toEqual([]);
    expect(
      await remote.release({ claim: claim.id, devices: [claim.devices[0]?.deviceId as never] }),
    ).toHaveLength(1);
    expect(await remote.reconcile({ instances: [] })).toHaveLength(1);
    expect(await remote.heal()).toEqual([]);
  });

  test('rejects with the owner’s error, all of it', async () => {
    const remote = await client();
    const asked = { instance: vm1, requests: [vdpaRequest(9)] };
    const theirs = await desk.claim(asked).catch((error: unknown) => error);
    const ours = await remote.claim(asked).catch((error: unknown) => error);
    expect(ours).toBeInstanceOf(VdpaError);
    expect({ ...(ours as VdpaError) }).toEqual({ ...(theirs as VdpaError) });
    expect((ours as VdpaError).message).toBe((theirs as VdpaError).message);
    await expect(
      remote.claim({ instance: vm1, requests: [vdpaRequest(1, { count: 0 })] }),
    ).rejects.toThrow(/count/);
  });

  test('takes a claim back when it is aborted', async () => {
    const remote = await client();
    const open = store.hold();
    const stop = new AbortController();
    const claim = remote.claim({ instance: vm1, requests: [vdpaRequest()], signal: stop.signal });
    while (store.commits.length < 2) await sleep(5);
    stop.abort(new Error('enough'));
    await sleep(50);
    open();
    await expect(claim).rejects.toThrow('enough');
    expect(await desk.claims()).toEqual([]);
  });

  test('says what is not known when the connection is lost, and the same id finds it', async () => {
    const remote = await client();
    const open = store.hold();
    const asked = { id: claimId('c1'), instance: vm1, requests: [vdpaRequest()] };
    const claim = remote.claim(asked);
    while (store.commits.length < 2) await sleep(5);
    // As if the owner had been killed: its side of the connection goes at once.
    const closed = owner.close();
    const lost = expect(claim).resolves.toMatchObject({ id: 'c1' });
    open();
    await Promise.all([closed, lost]);
    owner = await OwnerSocket.listen(path, desk);
    expect((await (await client()).claim(asked)).id).toBe('c1');
    expect(await desk.claims()).toHaveLength(1);
  });

  test('that nobody keeps is unreachable', async () => {
    await owner.close();
    expect(existsSync(path)).toBe(false);
    await expect(OwnerClient.connect(path)).rejects.toMatchObject({
      code: 'OWNER_UNREACHABLE',
      retry: 'later',
    });
  });
});

describe('the socket', () => {
  test('is its owner’s alone, replaces a stale one, and goes with it', async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    // A second listen stands for the next owner: the first has lost the lock by then.
    const next = await OwnerSocket.listen(path, desk);
    await owner.close();
    expect(existsSync(path)).toBe(true);
    owner = next;
    await next.close();
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'precious');
    await expect(OwnerSocket.listen(path, desk)).rejects.toMatchObject({
      code: 'OWNER_SOCKET_FAILED',
    });
  });

  test('may lie deeper than an address has room for', async () => {
    const deep = join(folder, 'x'.repeat(100));
    spawnSync('mkdir', [deep]);
    const far = join(deep, 'store.sock');
    const other = await OwnerSocket.listen(far, desk);
    const remote = await OwnerClient.connect(far);
    expect(await remote.claims()).toEqual([]);
    await remote.close();
    await other.close();
  });

  test.runIf(process.getuid?.() === 0)('does not answer another user', async () => {
    chmodSync(folder, 0o755);
    chmodSync(path, 0o666);
    const script = `require('node:net').connect(${JSON.stringify(path)}).on('data', (d) => process.stdout.write(d))`;
    const child = spawn(process.execPath, ['-e', script], { uid: 65534, gid: 65534 });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    await once(child, 'exit');
    expect(JSON.parse(stdout)).toMatchObject({
      id: null,
      error: { code: 'PERMISSION_DENIED', message: expect.stringContaining('user 65534') },
    });
  });

  test('answers nonsense with what is wrong with it', async () => {
    const [greeting, ...answers] = await said(
      [
        '{"protocol',
        '[]',
        '{"id":-1,"verb":"pools"}',
        '{"id":1,"verb":"rm","arguments":{}}',
        '{"id":2,"verb":"toString"}',
        '{"id":3,"verb":"claim","arguments":{"instance":"a","requests":[],"force":true}}',
        '{"id":4,"verb":"claims","extra":1}',
        '{"id":5,"verb":"claims"}',
        '',
      ].join('\n'),
      9,
    );
    expect(greeting).toEqual({ protocol: 'vdpa-host-owner', version: 1 });
    expect(answers.filter(({ error }) => error !== undefined)).toHaveLength(7);
    expect(answers).toContainEqual({ id: 5, value: [] });
    expect(JSON.stringify(answers)).toContain('force');
  });

  test('sends away who sends a line without end', async () => {
    const lines = await said(Buffer.alloc((1 << 20) + 10, 0x20), 2);
    expect(lines.at(-1)).toMatchObject({ error: { code: 'OWNER_PROTOCOL' } });
  });

  test('whatever one peer sends, another is answered', async () => {
    const remote = await client();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
          fc.json().map((text) => `${text}\n`),
          fc
            .record({
              id: fc.nat(),
              verb: fc.constantFrom('claim', 'release', 'heal', 'x'),
              arguments: fc.jsonValue(),
            })
            .map((document) => `${JSON.stringify(document)}\n`),
        ),
        async (bytes) => {
          const socket = connect({ path });
          socket.on('error', () => {});
          socket.end(bytes);
          await once(socket.resume(), 'close');
          expect(await remote.claims()).toEqual(await desk.claims());
        },
      ),
      { numRuns: 100 },
    );
  });

  test('of another program, or another version, is not spoken to', async () => {
    for (const [greeting, words] of [
      ['{"protocol":"smtp","version":1}\n', 'is no socket of an owner'],
      ['{"protocol":"vdpa-host-owner","version":9}\n', 'version 9 of the protocol'],
      ['220 ready\n', 'no JSON'],
    ] as const) {
      const other = join(folder, 'other.sock');
      const server = createServer((socket) => socket.write(greeting));
      server.listen(other);
      await once(server, 'listening');
      await expect(OwnerClient.connect(other)).rejects.toMatchObject({
        code: 'OWNER_PROTOCOL',
        message: expect.stringContaining(words),
      });
      server.close();
    }
  });
});

describe('who keeps a store', () => {
  const locked = () => new VdpaError('STORE_LOCKED', 'the store belongs to process 7');

  test('is asked when it listens; else the store is opened here', async () => {
    const file = join(folder, 'store');
    expect(ownerSocketPath(file)).toBe(path);
    const remote = await openDesk(file, () => Promise.reject(new Error('opened')));
    expect(remote).toBeInstanceOf(OwnerClient);
    await remote[Symbol.asyncDispose]();
    await owner.close();
    expect(await openDesk(file, async () => desk)).toBe(desk);
  });

  test('and does not answer is named', async () => {
    await owner.close();
    await expect(
      openDesk(join(folder, 'store'), () => Promise.reject(locked()), { patienceMs: 200 }),
    ).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringMatching(/belongs to process 7; nobody listens at /),
    });
  });

  test('may take a moment to listen', async () => {
    await owner.close();
    let tries = 0;
    const remote = await openDesk(join(folder, 'store'), async () => {
      tries += 1;
      if (tries === 2) owner = await OwnerSocket.listen(path, desk);
      throw locked();
    });
    expect(remote).toBeInstanceOf(OwnerClient);
    await remote[Symbol.asyncDispose]();
  });
});

test('a supervisor is told, and its watchdog fed', async () => {
  const socket = join(folder, 'notify');
  const receiver = spawn('perl', [
    '-MIO::Socket::UNIX',
    '-e',
    '$|=1; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die; print "up\\n"; while (defined $s->recv(my $m, 4096)) { print "$m\\n" }',
    socket,
  ]);
  const heard: string[] = [];
  createInterface({ input: receiver.stdout }).on('line', (line) => heard.push(line));
  while (heard.length === 0) await sleep(5);
  {
    using supervisor = new Supervisor({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '40000' });
    supervisor.status('two\nlines');
    supervisor.ready();
    while (!heard.includes('WATCHDOG=1')) await sleep(5);
    supervisor.stopping();
  }
  while (!heard.includes('STOPPING=1')) await sleep(5);
  receiver.kill();
  await once(receiver, 'exit');
  expect(heard.filter((line) => line !== 'WATCHDOG=1')).toEqual([
    'up',
    'STATUS=two lines',
    'READY=1',
    'STOPPING=1',
  ]);
  using alone = new Supervisor({});
  expect(alone.ready()).toBe(false);
});
