import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { openUeventMonitor } from '../../src/native.js';
import { rawAddon } from './support/native.js';
import { collectGarbage, distUrl, eventually, runModule } from './support/process.js';

/**
 * All that a watch may hold: sockets, the root, watched folders. The inotify instance itself is the
 * event loop's, which keeps it for the next one.
 */
function held(): number {
  const held = readdirSync('/proc/self/fd').map((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      if (!target.includes('inotify')) return /^socket:|^\/$/.test(target) ? 1 : 0;
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('inotify wd:').length - 1;
    } catch {
      return 0; // the descriptor of this very listing
    }
  });
  return held.reduce((sum, count) => sum + count, 0);
}

// Closing is the event loop's work, which it does after the call.
let before: number;
beforeAll(() => {
  before = held();
});
afterEach(async () => {
  await eventually(held, (count) => count === before);
});

describe('a monitor of device events', () => {
  const { UeventMonitor } = rawAddon();
  const listener = () => {};

  test.each<[string, unknown[]]>([
    ['no arguments', []],
    ['a negative size', [-1, listener]],
    ['a size beyond a gigabyte', [2 ** 30 + 1, listener]],
    ['half a byte', [0.5, listener]],
    ['a text', ['1', listener]],
    ['no listener', [4096]],
    ['a listener that is none', [4096, {}]],
  ])('is not made of %s', (_, args) => {
    expect(() => new UeventMonitor(...args)).toThrow(TypeError);
    expect(held()).toBe(before);
  });

  test('is made by new only, and its method has no other receiver', () => {
    expect(() => UeventMonitor(4096, listener)).toThrow(TypeError);
    const monitor = new UeventMonitor(4096, listener);
    try {
      expect(() => monitor.close.call({} as never)).toThrow(TypeError);
    } finally {
      monitor.close();
    }
  });

  test('can be closed any number of times, and then holds nothing', async () => {
    const monitors = Array.from({ length: 20 }, () => openUeventMonitor(1 << 20, listener));
    expect(held()).toBe(before + 20);
    for (const monitor of monitors) {
      monitor.close();
      monitor.close();
    }
  });

  test('goes on when nobody refers to it, until it is closed', async () => {
    const heard = vi.fn();
    let monitor: ReturnType<typeof openUeventMonitor> | undefined = openUeventMonitor(4096, heard);
    const close = monitor.close.bind(monitor);
    monitor = undefined;
    collectGarbage();
    await sleep(0);
    expect(held()).toBe(before + 1);
    close();
  });
});

describe('a watch', () => {
  test('lets go of everything when it is closed, or when its host is', async () => {
    const host = await VdpaHost.open();
    const watch = await host.watch();
    await watch.close();
    await watch.close();
    // Dropped without a close: the host has it still.
    await host.watch();
    collectGarbage();
    expect(held()).toBeGreaterThan(before);
    await host.close();
  });

  test('that is aborted leaves nothing, at whatever moment', async () => {
    await using host = await VdpaHost.open();
    for (let moment = 0; moment < 20; moment++) {
      const controller = new AbortController();
      const opened = host.watch({ signal: controller.signal, healthMs: 600_000 });
      setTimeout(() => controller.abort('enough'), moment / 2);
      const watch = await opened.catch((reason: unknown) => {
        expect(reason).toBe('enough');
        return null;
      });
      if (watch === null) continue;
      await expect(watch[Symbol.asyncIterator]().next()).rejects.toBe('enough');
    }
  });

  test('whose host is closed while it is being opened leaves nothing', async () => {
    for (let turns = 0; turns < 60; turns++) {
      const host = await VdpaHost.open();
      const opened = host.watch({ healthMs: 600_000 }).catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await host.close();
      await opened;
    }
  });

  const open = `
    const { VdpaHost } = await import(${JSON.stringify(distUrl)});
    const host = await VdpaHost.open();
    const watch = await host.watch();
  `;

  test('alone keeps no process alive', async () => {
    expect(await runModule(`${open} console.log('open');`)).toEqual({
      code: 0,
      signal: null,
      stdout: 'open\n',
      stderr: '',
    });
  });

  test('is closed to the end in a process that has nothing else', async () => {
    for (const closing of ['watch.close()', 'host.close()']) {
      const ended = await runModule(`${open} await ${closing}; console.log('closed');`);
      expect(ended).toMatchObject({ code: 0, stdout: 'closed\n', stderr: '' });
    }
  });

  test('may be terminated with its worker, 15 times', async () => {
    for (let round = 0; round < 15; round++) {
      const worker = new Worker(new URL('./support/reader-worker.mjs', import.meta.url), {
        workerData: { distUrl, mode: 'watch', rounds: 1 },
      });
      const [message] = await once(worker, 'message');
      expect(message).toBe('watching');
      await sleep(round % 5);
      await worker.terminate();
    }
  });
});
