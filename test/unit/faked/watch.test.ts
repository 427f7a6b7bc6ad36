import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { type HostEvent, type HostWatch, VdpaHost } from '../../../src/index.js';
import type { NamedDevicesRow, SnapshotRow, UeventRow } from '../../../src/rows.js';
import {
  busDeviceRow,
  pciFunctionRow,
  pfRow,
  snapshotRow,
  vdpaDeviceRow,
} from '../support/rows.js';

// The kernel's side, so that readings fail, wait and come in the order that each test is about.

type Listener = (events: readonly UeventRow[], lost: boolean) => void;
const native = {
  snapshot: vi.fn(async (): Promise<SnapshotRow> => snapshotRow()),
  namedDevices: vi.fn(async (): Promise<NamedDevicesRow> => ({ vdpaDevices: [], busDevices: [] })),
  abandon: vi.fn(),
  close: vi.fn(async () => {}),
};
const monitors: { listener: Listener; close: ReturnType<typeof vi.fn> }[] = [];
vi.mock('../../../src/native.js', () => ({
  openNativeHost: () => native,
  openUeventMonitor: (_: number, listener: Listener) => {
    const monitor = { listener, close: vi.fn() };
    monitors.push(monitor);
    return monitor;
  },
}));

const hostWith = (count: number): SnapshotRow =>
  snapshotRow({
    pciFunctions: [pfRow(), pciFunctionRow()],
    busDevices: Array.from({ length: count }, (_, i) => busDeviceRow({ name: `vdpa${i}` })),
    vdpaDevices: Array.from({ length: count }, (_, i) => vdpaDeviceRow({ name: `vdpa${i}` })),
    ueventSeqnum: 10n,
  });

let seqnum = 100n;
function tell(action: string, name: string, subsystem = 'vdpa'): void {
  seqnum++;
  monitors.at(-1)?.listener([{ action, subsystem, devpath: `/devices/${name}`, seqnum }], false);
}

let host: VdpaHost;
beforeEach(async () => {
  vi.clearAllMocks();
  native.snapshot.mockResolvedValue(snapshotRow());
  native.namedDevices.mockResolvedValue({ vdpaDevices: [], busDevices: [] });
  monitors.length = 0;
  host = await VdpaHost.open();
});
afterEach(async () => {
  vi.useRealTimers();
  await host.close();
});

function collect(watch: HostWatch): HostEvent[] {
  const events: HostEvent[] = [];
  (async () => {
    for await (const event of watch) events.push(event);
  })().catch(() => {});
  return events;
}

const broken = new VdpaError('RESOURCE_EXHAUSTED', 'no descriptors', { errno: 'EMFILE' });

describe('a host that can not be read', () => {
  test('is tried once a second, whatever happens, and nothing of what was told is lost', async () => {
    native.snapshot.mockResolvedValue(hostWith(1));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const watch = await host.watch({ rereadMs: 0 });
    const events = collect(watch);
    native.namedDevices.mockRejectedValue(broken);
    native.snapshot.mockRejectedValue(broken);
    tell('remove', 'vdpa0');
    await vi.waitUntil(() => events.length === 1);
    expect(events).toEqual([{ type: 'stale', error: broken }]);
    for (let i = 0; i < 20; i++) {
      tell('add', 'vdpa0');
      tell('add', '0000:65:00.3', 'pci');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(native.namedDevices).toHaveBeenCalledTimes(1);
    expect(native.snapshot).toHaveBeenCalledTimes(1);

    native.snapshot.mockResolvedValue(hostWith(1));
    await vi.advanceTimersByTimeAsync(1030);
    await vi.waitUntil(() => events.length >= 5);
    // It is another device of the same looks.
    expect(events.slice(1).map(({ type }) => type)).toEqual([
      'unready',
      'removed',
      'added',
      'ready',
    ]);
  });

  test('is not tried any more once the watch is closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const watch = await host.watch();
    const events = collect(watch);
    native.namedDevices.mockRejectedValue(broken);
    tell('add', 'vdpa0');
    await vi.waitUntil(() => events.length === 1);
    await watch.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  test('when it is opened leaves nothing behind', async () => {
    native.snapshot.mockRejectedValue(broken);
    await expect(host.watch()).rejects.toBe(broken);
    expect(monitors.map(({ close }) => close.mock.calls.length)).toEqual([1]);
    expect(native.close).toHaveBeenCalledTimes(1);
  });
});

describe('a watch that is ended while it is opened', () => {
  /** Opens a watch whose first reading waits. */
  function opening(signal?: AbortSignal) {
    let answer: (row: SnapshotRow) => void = () => {};
    native.snapshot.mockReturnValueOnce(
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    const opened = host.watch({ signal });
    opened.catch(() => {});
    return { opened, answer: () => answer(hostWith(1)) };
  }

  test('by its signal rejects with the reason', async () => {
    const controller = new AbortController();
    const { opened, answer } = opening(controller.signal);
    await vi.waitUntil(() => native.snapshot.mock.calls.length === 1);
    controller.abort('enough');
    answer();
    await expect(opened).rejects.toBe('enough');
  });

  test('by its signal, although the reading came first, rejects with the reason', async () => {
    const controller = new AbortController();
    const { opened, answer } = opening(controller.signal);
    await vi.waitUntil(() => native.snapshot.mock.calls.length === 1);
    answer();
    for (let i = 0; i < 6; i++) await Promise.resolve();
    controller.abort('enough');
    await expect(opened).rejects.toBe('enough');
    expect(monitors[0]?.close).toHaveBeenCalled();
  });

  test('by the host rejects with CLOSED, and the host waits for it', async () => {
    const { opened, answer } = opening();
    await vi.waitUntil(() => native.snapshot.mock.calls.length === 1);
    const closed = host.close();
    answer();
    await closed;
    expect(monitors[0]?.close).toHaveBeenCalled();
    await expect(opened).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('events', () => {
  test('of one reading end where a listener closes the watch', async () => {
    const watch = await host.watch({ rereadMs: 0 });
    const seen: string[] = [];
    watch.on('added', ({ device }) => {
      seen.push(device.name);
      void watch.close();
    });
    native.snapshot.mockResolvedValue(hostWith(4));
    tell('add', '0000:65:00.2', 'pci');
    await vi.waitUntil(() => seen.length > 0);
    await watch.close();
    expect(seen).toEqual(['vdpa0']);
  });

  test('that come while the watch is closed ask for nothing', async () => {
    const watch = await host.watch();
    const closed = watch.close();
    tell('add', 'vdpa0');
    await closed;
    expect(native.namedDevices).not.toHaveBeenCalled();
  });

  test('reach everybody although a listener throws, and its error reaches the process', async () => {
    native.snapshot.mockResolvedValue(hostWith(0));
    const watch = await host.watch({ rereadMs: 0 });
    const events = collect(watch);
    const errors: unknown[] = [];
    const handlers = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => errors.push(error));
    try {
      watch.on('added', () => {
        throw new RangeError('mine');
      });
      native.snapshot.mockResolvedValue(hostWith(2));
      tell('add', '0000:65:00.2', 'pci');
      await vi.waitUntil(() => events.length === 4 && errors.length === 2);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const handler of handlers) process.on('uncaughtException', handler);
    }
    expect(errors).toEqual([new RangeError('mine'), new RangeError('mine')]);
    expect(watch.inventory.devices).toHaveLength(2);
  });
});

describe('a host with watches', () => {
  test('closes those that are open, and forgets those that closed themselves', async () => {
    const [one, two, three] = [await host.watch(), await host.watch(), await host.watch()];
    await one.close();
    const again = vi.spyOn(one, 'close');
    const closed = vi.spyOn(two, 'close');
    await host.close();
    expect(monitors.map(({ close }) => close.mock.calls.length)).toEqual([1, 1, 1]);
    expect(again).not.toHaveBeenCalled();
    expect(closed).toHaveBeenCalledTimes(1);
    expect((await three[Symbol.asyncIterator]().next()).done).toBe(true);
  });
});
