import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { Supervisor } from '../../src/lifecycle/supervisor.js';
import { notifySupervisor, peerCredentials } from '../../src/native.js';
import { peerOf } from '../../src/socket-peer.js';

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'vdpa-host-notify-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Node has no datagram sockets of this kind: each datagram becomes a line, as JSON. */
const receiver = `
import json, socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + name[1:] if name[0] == "@" else name)
print(json.dumps("bound"), flush=True)
while True:
    print(json.dumps(s.recv(4096).decode()), flush=True)
`;

/** Who is told. */
class Told implements AsyncDisposable {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  private constructor(socket: string) {
    this.#child = spawn('python3', ['-c', receiver, socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // Not our sanitisers'.
      env: { ...process.env, LD_PRELOAD: '' },
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async at(socket: string): Promise<Told> {
    const told = new Told(socket);
    expect(await told.next()).toBe('bound');
    return told;
  }

  async next(): Promise<string> {
    return JSON.parse((await this.#lines.next()).value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}

describe('the supervisor of a service', () => {
  test('is told what the service is at, and its watchdog that it lives', async () => {
    using folder = new Folder();
    const socket = join(folder.path, 'notify');
    await using told = await Told.at(socket);
    {
      using supervisor = new Supervisor({ NOTIFY_SOCKET: socket });
      expect(supervisor.status('two\nlines\0 of it')).toBe(true);
      expect(await told.next()).toBe('STATUS=two lines  of it');
      expect(supervisor.ready()).toBe(true);
      expect(await told.next()).toBe('READY=1');
    }
    {
      const watchdog = { WATCHDOG_USEC: '20000', WATCHDOG_PID: `${process.pid}` };
      using supervisor = new Supervisor({ NOTIFY_SOCKET: socket, ...watchdog });
      expect(await told.next()).toBe('WATCHDOG=1');
      expect(await told.next()).toBe('WATCHDOG=1');
      expect(supervisor.stopping()).toBe(true);
      while ((await told.next()) !== 'STOPPING=1');
    }
    expect(notifySupervisor(socket, 'the end')).toBeUndefined();
    let last = await told.next();
    while (last === 'WATCHDOG=1') last = await told.next();
    expect(last).toBe('the end');
  });

  test('may have an abstract name', async () => {
    const socket = `@vdpa-host-test-${process.pid}`;
    await using told = await Told.at(socket);
    using supervisor = new Supervisor({ NOTIFY_SOCKET: socket });
    supervisor.ready();
    expect(await told.next()).toBe('READY=1');
  });

  test('need not be there, nor the watchdog ours', async () => {
    using folder = new Folder();
    const socket = join(folder.path, 'none');
    for (const environment of [{}, { NOTIFY_SOCKET: '' }, { NOTIFY_SOCKET: socket }]) {
      using supervisor = new Supervisor(environment);
      expect(supervisor.ready()).toBe(false);
    }
    await using told = await Told.at(socket);
    const watchdog = { WATCHDOG_USEC: '2000', WATCHDOG_PID: '1' };
    using supervisor = new Supervisor({ NOTIFY_SOCKET: socket, ...watchdog });
    await new Promise((resolve) => setTimeout(resolve, 20));
    supervisor.ready();
    expect(await told.next()).toBe('READY=1');
  });

  test('has a socket of the form that there is, or an error says so', () => {
    expect(() => notifySupervisor('vsock:2:1', 'READY=1')).toThrow(
      expect.objectContaining({ code: 'KERNEL_REFUSED', errno: 'EINVAL' }),
    );
    expect(() => notifySupervisor(5 as never, 'READY=1')).toThrow(TypeError);
    expect(() => notifySupervisor('/a', 'b\0c')).toThrow(TypeError);
  });
});

describe('the peer of a socket', () => {
  test('is known at both ends, also once it has gone', async () => {
    using folder = new Folder();
    const server = createServer();
    server.listen(join(folder.path, 's'));
    await once(server, 'listening');
    const socket = connect(join(folder.path, 's'));
    const [served] = await once(server, 'connection');
    const self = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() };
    expect(peerOf(socket)).toEqual(self);
    socket.destroy();
    expect(peerOf(served)).toEqual(self);
    served.destroy();
    expect(() => peerOf(served)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    server.close();
  });

  test('is not there where there is no peer', () => {
    expect(() => peerCredentials(2 ** 31 - 1)).toThrow(expect.objectContaining({ errno: 'EBADF' }));
    expect(() => peerCredentials(-1)).toThrow(TypeError);
  });
});
