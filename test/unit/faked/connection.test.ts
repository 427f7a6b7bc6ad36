import { stat } from 'node:fs/promises';
import { setImmediate as nextCheck } from 'node:timers/promises';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Connection } from '../../../src/host/connection.js';
import { snapshotRow } from '../support/rows.js';

/** The native side, which tests drive by hand. */
const native = {
  abandon: vi.fn(),
  close: vi.fn(async () => {}),
  /** What a captured tree says of itself. */
  readText: vi.fn((_path: string): string | null => null),
  snapshot: vi.fn(async () => snapshotRow()),
};
vi.mock('../../../src/native.js', () => ({ openNativeHost: () => native }));

beforeEach(() => {
  vi.clearAllMocks();
});

/** A call whose answer the test gives. */
function call(connection: Connection, step = 'step', signal?: AbortSignal) {
  const { promise, resolve, reject } = withResolvers<string>();
  const start = vi.fn(() => promise);
  const answer = connection.call(step, start, { signal });
  answer.catch(() => {});
  return { start, answer, resolve, reject };
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

describe('the queue of calls', () => {
  test('starts a call only when the one before has ended, even in failure', async () => {
    const connection = new Connection('/', 1000);
    const [first, second, third] = [call(connection), call(connection), call(connection)];
    await settle();
    expect([first, second, third].map(({ start }) => start.mock.calls.length)).toEqual([1, 0, 0]);

    first.reject(new Error('first'));
    await settle();
    expect(second.start).toHaveBeenCalledWith(native, 1000);
    expect(third.start).not.toHaveBeenCalled();

    second.resolve('second');
    third.resolve('third');
    await expect(first.answer).rejects.toThrow('first');
    expect(await Promise.all([second.answer, third.answer])).toEqual(['second', 'third']);
  });

  test('passes over a call that was aborted while it waited', async () => {
    const connection = new Connection('/', 1000);
    const controller = new AbortController();
    const first = call(connection);
    const second = call(connection, 'second', controller.signal);
    const third = call(connection);
    await settle();
    controller.abort('enough');
    await expect(second.answer).rejects.toBe('enough');
    first.resolve('');
    third.resolve('third');

    expect(await third.answer).toBe('third');
    expect(second.start).not.toHaveBeenCalled();
  });

  test('keeps its place for a call that was aborted while the kernel had it', async () => {
    const connection = new Connection('/', 1000);
    const controller = new AbortController();
    const first = call(connection, 'first', controller.signal);
    const second = call(connection);
    await settle();
    controller.abort('enough');
    await expect(first.answer).rejects.toBe('enough');
    await settle();
    expect(second.start).not.toHaveBeenCalled();

    first.resolve('late');
    await settle();
    expect(second.start).toHaveBeenCalled();
    second.resolve('');
    expect(native.abandon).not.toHaveBeenCalled();
  });

  test('leaves no listener on the signal of a call that has ended', async () => {
    const connection = new Connection('/', 1000);
    const { signal } = new AbortController();
    const [added, removed] = [
      vi.spyOn(signal, 'addEventListener'),
      vi.spyOn(signal, 'removeEventListener'),
    ];
    for (let i = 0; i < 3; i++) {
      const one = call(connection, 'step', signal);
      one.resolve('');
      await one.answer;
    }
    expect(added).toHaveBeenCalledTimes(3);
    expect(removed).toHaveBeenCalledTimes(3);
  });

  test('ends with the host: what waits fails, what runs is awaited, once', async () => {
    const connection = new Connection('/', 1000);
    const [first, second] = [call(connection), call(connection)];
    await settle();
    const closing = [connection.close(), connection.close()];
    await settle();
    expect(native.close).not.toHaveBeenCalled();

    first.resolve('first');
    await Promise.all(closing);
    await connection.close();
    expect(await first.answer).toBe('first');
    await expect(second.answer).rejects.toMatchObject({ code: 'CLOSED' });
    expect(second.start).not.toHaveBeenCalled();
    expect(native.close).toHaveBeenCalledTimes(1);
  });
});

describe('a call without an answer', () => {
  /** Lets a call run into its deadline. */
  async function stuck(connection: Connection) {
    const one = call(connection);
    await vi.advanceTimersByTimeAsync(1500);
    await expect(one.answer).rejects.toMatchObject({ code: 'KERNEL_TIMEOUT', step: 'step' });
    return one;
  }

  beforeEach(() => {
    // The turn of the event loop after the deadline stays a real one.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    return () => vi.useRealTimers();
  });

  test('is given half a second more than the core, then abandoned', async () => {
    const connection = new Connection('/', 1000);
    const one = call(connection);
    await vi.advanceTimersByTimeAsync(1499);
    expect(native.abandon).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await expect(one.answer).rejects.toMatchObject({
      code: 'KERNEL_TIMEOUT',
      retry: 'later',
      outcome: 'unchanged',
    });
    expect(native.abandon).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['/', 'the kernel or a driver is holding a lock'],
    ['/captured', 'the captured tree is too large'],
  ])('below %s is explained by: %s', async (root, why) => {
    const connection = new Connection(root, 1000);
    expect(connection.live).toBe(root === '/');
    const one = await stuck(connection);
    await expect(one.answer).rejects.toThrow(`step: no answer after 1000 ms: ${why}`);
  });

  test('leaves no timer behind when the answer comes in time', async () => {
    const connection = new Connection('/', 1000);
    const one = call(connection);
    one.resolve('in time');
    expect(await one.answer).toBe('in time');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('three times over lets a fourth try, four times over none until one is back', async () => {
    const connection = new Connection('/', 1000);
    const lost = [];
    for (let i = 0; i < 4; i++) lost.push(await stuck(connection));

    const refused = call(connection);
    await expect(refused.answer).rejects.toMatchObject({
      code: 'KERNEL_TIMEOUT',
      message: expect.stringContaining('4 earlier requests'),
      outcome: 'unchanged',
    });
    expect(refused.start).not.toHaveBeenCalled();

    lost[2]?.reject(new Error('late and in vain'));
    await settle();
    const next = call(connection);
    next.resolve('again');
    expect(await next.answer).toBe('again');
    expect(native.abandon).toHaveBeenCalledTimes(4);
  });

  test('does not hold up the end', async () => {
    const connection = new Connection('/', 1000);
    await stuck(connection);
    await connection.close();
    expect(native.close).toHaveBeenCalledTimes(1);
  });
});

describe('a process that is held up itself', () => {
  test('has its answer all the same, which came while nobody could listen', async () => {
    const connection = new Connection('/', 1);
    // After the check phase timers come first, and only then the answers of other threads.
    await nextCheck();
    const answer = connection.call('step', async () => {
      await stat('/');
      return 'there';
    });
    await settle();
    const end = performance.now() + 700;
    while (performance.now() < end);

    expect(await answer).toBe('there');
    await nextCheck();
    expect(native.abandon).not.toHaveBeenCalled();
  });
});

describe('what a captured tree says of itself', () => {
  const saying = (manifest: object | string | null): Connection => {
    const text = typeof manifest === 'object' ? JSON.stringify(manifest) : manifest;
    native.readText.mockReturnValueOnce(manifest === null ? null : text);
    return new Connection('/captured', 1000);
  };
  const facts = {
    guestSoftware: {
      qemu: { name: 'qemu-kvm', version: '10.0.2', timedOut: false },
      libvirt: null,
    },
    deniedNodes: { count: 1, first: ['/dev/vhost-vdpa-0'] },
  };
  const consistencyOf = async (connection: Connection) =>
    (await connection.inventory(connection.native, 1000)).consistent;

  test('is asked of no live host', () => {
    expect(new Connection('/', 1000).capture).toBeNull();
    expect(native.readText).not.toHaveBeenCalled();
  });

  test('makes every reading inconsistent when the capture was', async () => {
    expect(await consistencyOf(saying({ format: 1, consistent: false }))).toBe(false);
    expect(await consistencyOf(saying({ format: 1, consistent: true }))).toBe(true);
    expect(await consistencyOf(saying(null))).toBe(true);
  });

  test('has what the machine was asked, which older captures have not', () => {
    expect(saying({ format: 1, consistent: true, machine: facts }).facts).toEqual(facts);
    expect(saying({ format: 1, consistent: true }).facts).toBeUndefined();
  });

  test.each([
    ['CAPTURE_TOO_NEW', { format: 2, consistent: true, madeBy: 'vdpa-host 9' }],
    ['CAPTURE_INVALID', { format: 0, consistent: true }],
    ['CAPTURE_INVALID', { format: 1 }],
    ['CAPTURE_INVALID', 'no JSON'],
    ['CAPTURE_INVALID', 'null'],
  ])('is refused with %s when it says %j', (code, manifest) => {
    expect(() => saying(manifest)).toThrow(expect.objectContaining({ code }));
  });

  const { guestSoftware } = facts;
  test.each([
    null,
    {},
    { ...facts, guestSoftware: null },
    { ...facts, guestSoftware: { qemu: null } },
    { ...facts, guestSoftware: { ...guestSoftware, qemu: { ...guestSoftware.qemu, name: 1 } } },
    {
      ...facts,
      guestSoftware: { ...guestSoftware, qemu: { ...guestSoftware.qemu, version: 'x' } },
    },
    { ...facts, guestSoftware: { ...guestSoftware, qemu: { ...guestSoftware.qemu, timedOut: 0 } } },
    { ...facts, deniedNodes: { count: '1', first: ['a'] } },
    { ...facts, deniedNodes: { count: 1, first: [1] } },
    { ...facts, deniedNodes: { count: 4, first: ['a'] } },
  ])('is refused when the machine was told %j', (machine) => {
    expect(() => saying({ format: 1, consistent: true, machine })).toThrow(
      expect.objectContaining({ code: 'CAPTURE_INVALID' }),
    );
  });
});
