import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LibvirtConnection } from '../../src/guest/libvirt-connection.js';
import {
  type LibvirtEvent,
  LibvirtProcess,
  LibvirtRefusal,
} from '../../src/guest/libvirt-process.js';
import { libvirtProgram } from '../../src/native.js';
import { processesOf } from '../support/processes.js';

/** Libvirt's own driver of the tests: no daemon, one domain. */
const place = { uri: 'test:///default', library: 'libvirt.so.0' };
const domain = { name: 'test', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f' };

const patience = (): AbortSignal => AbortSignal.timeout(30_000);
const started: LibvirtProcess[] = [];
const connected: LibvirtConnection[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.kill()));
  await Promise.all(connected.splice(0).map((connection) => connection.close()));
});

function start(options: Partial<typeof place> = {}): LibvirtProcess {
  const process = new LibvirtProcess({ ...place, ...options }, () => {});
  started.push(process);
  return process;
}

function connect(options: Partial<typeof place> = {}) {
  const events: (LibvirtEvent | 'reconnected')[] = [];
  const connection = new LibvirtConnection(
    { ...place, ...options },
    { event: (event) => events.push(event), reconnected: () => events.push('reconnected') },
  );
  connected.push(connection);
  return { connection, events };
}

/** Children of this process that run the program. */
function helpers(): number[] {
  return processesOf('vdpa_host_libvi', process.pid);
}

describe('the process that speaks with libvirt', () => {
  test('tells of the domains', async () => {
    const libvirt = start();
    await libvirt.opened;
    expect(await libvirt.ask(['list'], patience())).toEqual([domain.uuid]);
    const [type, hypervisor, daemon] = await libvirt.ask(['versions'], patience());
    expect(type).toBe('TEST');
    expect(hypervisor).toBe('2');
    expect(Number(daemon)).toBeGreaterThanOrEqual(6_009_000);
  });

  test('shows a domain by UUID and by name: as it runs, and as it will start', async () => {
    const libvirt = start();
    const shown = await libvirt.ask(['show', domain.uuid], patience());
    expect(await libvirt.ask(['show', domain.name], patience())).toEqual(shown);
    const [uuid, name, state, xml, next] = shown;
    expect({ uuid, name, state }).toEqual({ ...domain, state: '1' });
    expect(xml).toMatch(/^<domain type='test' id='1'>/);
    expect(next).toMatch(/^<domain type='test'>/);
  });

  test('passes on what libvirt refuses, in its own numbers and words', async () => {
    const libvirt = start();
    await expect(libvirt.ask(['show', 'nobody'], patience())).rejects.toMatchObject({
      name: 'LibvirtRefusal',
      call: 'show',
      code: 42,
      domain: 12,
      message: 'Domain not found',
    });
    await expect(libvirt.ask(['attach', 'test', '1', '<interface/>'], patience())).rejects.toThrow(
      LibvirtRefusal,
    );
  });

  test('answers many at a time, each with its own', async () => {
    const libvirt = start();
    const asked = Array.from({ length: 200 }, async (_, index) =>
      index % 2 === 0
        ? (await libvirt.ask(['show', 'test'], patience()))[0]
        : await libvirt.ask(['show', `nobody${index}`], patience()).catch(() => index),
    );
    expect(await Promise.all(asked)).toEqual(
      Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? domain.uuid : index)),
    );
  });

  test('says what is missing where there is no libvirt', async () => {
    const libvirt = start({ library: 'libvirt-absent.so.0' });
    const error = { code: 'LIBVIRT_MISSING', message: expect.stringContaining('libvirt-absent') };
    await expect(libvirt.opened).rejects.toMatchObject(error);
    await expect(start({ library: 'libc.so.6' }).opened).rejects.toMatchObject({
      code: 'LIBVIRT_MISSING',
      message: expect.stringContaining('it has no vir'),
    });
    await libvirt.ended;
    await expect(libvirt.ask(['list'], patience())).rejects.toMatchObject({
      code: 'GUEST_UNREACHABLE',
    });
  });

  test('says why it cannot connect', async () => {
    const libvirt = start({ uri: 'qemu+unix:///system?socket=/nowhere' });
    await expect(libvirt.opened).rejects.toMatchObject({
      code: 'GUEST_UNREACHABLE',
      message: expect.stringContaining("'/nowhere': No such file or directory"),
      step: 'connect to qemu+unix:///system?socket=/nowhere',
    });
  });

  test('ends what it was asked when it is killed', async () => {
    using daemon = await deafDaemon();
    const libvirt = start({ uri: daemon.uri });
    const asked = libvirt.ask(['list'], patience());
    asked.catch(() => {});
    await libvirt.kill();
    await expect(asked).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE', outcome: 'unknown' });
    await expect(libvirt.opened).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
  });

  test('is ended when too many calls are given up, for others to be served', async () => {
    using daemon = await deafDaemon();
    const libvirt = start({ uri: daemon.uri });
    const stopping = new AbortController();
    const calls = Array.from({ length: 3 }, () => libvirt.ask(['list'], stopping.signal));
    stopping.abort(new Error('enough'));
    for (const call of calls) await expect(call).rejects.toThrow('enough');
    await libvirt.ended;
  });

  test('ends by itself with whoever started it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'libvirt-parent-'));
    try {
      const script = join(folder, 'parent.mjs');
      writeFileSync(
        script,
        `import { spawn } from 'node:child_process';
         const child = spawn(process.argv[2], ['libvirt.so.0', 'test:///default'], { stdio: ['pipe', 'pipe', 'ignore'] });
         child.stdout.once('data', () => { console.log(child.pid); process.kill(process.pid, 'SIGKILL'); });`,
      );
      const run = promisify(execFile)(process.execPath, [script, libvirtProgram()]);
      const { stdout } = await run.catch((error: { stdout: string }) => error);
      const pid = Number(stdout);
      expect(pid).toBeGreaterThan(0);
      await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 30_000);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the connection', () => {
  test('is made at the first call, and there is one', async () => {
    const { connection } = connect();
    expect(helpers()).toEqual([]);
    await Promise.all([1, 2, 3].map(() => connection.ask(['list'], patience())));
    expect(helpers()).toHaveLength(1);
  });

  test('is made again when it breaks, and says so', async () => {
    const { connection, events } = connect();
    await connection.ask(['list'], patience());
    const [first] = helpers();
    process.kill(first ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(events).toEqual(['reconnected']), 30_000);
    expect(await connection.ask(['list'], patience())).toEqual([domain.uuid]);
    expect(helpers()).not.toContain(first);
  });

  test('outlives the signals with which a supervisor ends all processes of a service', async () => {
    const { connection, events } = connect();
    await connection.ask(['list'], patience());
    const [only] = helpers();
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(only ?? 0, signal);
    expect(await connection.ask(['list'], patience())).toEqual([domain.uuid]);
    expect(helpers()).toEqual([only]);
    expect(events).toEqual([]);
  });

  test('is waited for while it is made again', async () => {
    const { connection } = connect();
    for (let round = 0; round < 3; round++) {
      await connection.ask(['list'], patience());
      const [pid] = helpers();
      process.kill(pid ?? 0, 'SIGKILL');
      await vi.waitFor(() => expect(helpers()).not.toContain(pid), 30_000);
    }
    expect(await connection.ask(['list'], patience())).toEqual([domain.uuid]);
  });

  test('that cannot be made is tried anew by each call', async () => {
    const { connection, events } = connect({ uri: 'qemu+unix:///system?socket=/nowhere' });
    for (let round = 0; round < 2; round++) {
      await expect(connection.ask(['list'], patience())).rejects.toMatchObject({
        code: 'GUEST_UNREACHABLE',
        retry: 'later',
      });
    }
    expect(events).toEqual([]);
    const missing = connect({ library: 'libvirt-absent.so.0' });
    await expect(missing.connection.ask(['list'], patience())).rejects.toMatchObject({
      code: 'LIBVIRT_MISSING',
    });
  });

  test('is not waited for beyond the signal', async () => {
    using daemon = await deafDaemon();
    const { connection } = connect({ uri: daemon.uri });
    const stopping = new AbortController();
    const asked = connection.ask(['list'], stopping.signal);
    stopping.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    await expect(connection.ask(['list'], stopping.signal)).rejects.toThrow('enough');
  });

  test('takes nothing more once it is closed, and leaves no process', async () => {
    const { connection } = connect();
    await connection.ask(['list'], patience());
    await Promise.all([connection.close(), connection.close()]);
    await expect(connection.ask(['list'], patience())).rejects.toMatchObject({ code: 'CLOSED' });
    expect(helpers()).toEqual([]);
  });
});

/** Takes connections and never answers. */
async function deafDaemon(): Promise<{ uri: string } & Disposable> {
  const folder = mkdtempSync(join(tmpdir(), 'libvirt-deaf-'));
  const socket = join(folder, 'socket');
  const server = createServer((peer) => peer.on('error', () => {}));
  await new Promise<void>((listening) => server.listen(socket, listening));
  return {
    uri: `qemu+unix:///system?socket=${socket}`,
    [Symbol.dispose]: () => {
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
