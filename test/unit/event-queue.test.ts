import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { EventQueue } from '../../src/event-queue.js';
import type { HostEvent } from '../../src/host/host-event.js';

const left = vi.fn();
let queue: EventQueue<HostEvent>;
beforeEach(() => {
  left.mockClear();
  queue = new EventQueue<HostEvent>({ type: 'resync', reason: 'consumer-slow' }, left);
});

/** Events that can be told apart. */
function numbered(number: number): HostEvent {
  return { type: 'managementDevice', managementDevice: null, before: { maxVqs: number } as never };
}

async function taken(count: number): Promise<unknown[]> {
  const values = [];
  for (let i = 0; i < count; i++) values.push((await queue.next()).value);
  return values;
}

const end = { done: true, value: undefined };

describe('a queue of events', () => {
  test('gives them in order, to a consumer that waits and to one that comes later', async () => {
    const waiting = queue.next();
    for (const number of [1, 2, 3]) queue.push(numbered(number));
    expect((await waiting).value).toEqual(numbered(1));
    expect(await taken(2)).toEqual([numbered(2), numbered(3)]);
  });

  test('gives a slow consumer one resync in place of what it missed, and then the latest', async () => {
    for (let i = 0; i < 3 * 4096; i++) queue.push(numbered(i));
    queue.end();
    const events: HostEvent[] = [];
    for await (const event of queue) events.push(event);
    expect(events[0]).toEqual({ type: 'resync', reason: 'consumer-slow' });
    expect(events.filter(({ type }) => type === 'resync')).toHaveLength(1);
    expect(events.length).toBeLessThanOrEqual(4096);
    expect(events.at(-1)).toEqual(numbered(3 * 4096 - 1));
  });

  test('holds as many as it says before that', async () => {
    for (let i = 0; i < 4096; i++) queue.push(numbered(i));
    expect(await taken(1)).toEqual([numbered(0)]);
  });

  test('keeps nothing that was taken, although one always waits', async () => {
    setFlagsFromString('--expose-gc');
    let first: WeakRef<HostEvent> | undefined;
    for (let i = 0; i <= 4096; i++) {
      const event = numbered(i);
      first ??= new WeakRef(event);
      queue.push(event);
      if (i > 0) await queue.next();
    }
    // What a WeakRef was asked for lives until the end of the turn.
    await new Promise((resolve) => setTimeout(resolve));
    runInNewContext('gc')();
    expect(first?.deref()).toBeUndefined();
    expect(await taken(1)).toEqual([numbered(4096)]);
  });

  test('refuses a second consumer, which would take events from the first', async () => {
    const first = queue.next();
    await expect(queue.next()).rejects.toThrow(TypeError);
    queue.push(numbered(1));
    expect((await first).value).toEqual(numbered(1));
  });
});

describe('the end of a queue', () => {
  test('comes after what waits', async () => {
    queue.push(numbered(1));
    queue.end();
    queue.push(numbered(2));
    expect(await queue.next()).toEqual({ done: false, value: numbered(1) });
    expect([await queue.next(), await queue.next()]).toEqual([end, end]);
  });

  test('is told to the consumer that waits', async () => {
    const waiting = queue.next();
    queue.end();
    expect(await waiting).toEqual(end);
  });

  test('by a failure comes at once, and is thrown once', async () => {
    queue.push(numbered(1));
    queue.end({ reason: 'enough' });
    await expect(queue.next()).rejects.toBe('enough');
    expect(await queue.next()).toEqual(end);
  });

  test('by a failure is thrown once to the consumer that waits, too', async () => {
    const waiting = queue.next();
    queue.end({ reason: undefined });
    await expect(waiting).rejects.toBeUndefined();
    expect(await queue.next()).toEqual(end);
  });

  test('stays the first one', async () => {
    queue.end();
    queue.end({ reason: 'too late' });
    expect(await queue.next()).toEqual(end);
  });
});

describe('a loop that is left', () => {
  test('takes nothing any more, and says so', async () => {
    queue.push(numbered(1));
    queue.push(numbered(2));
    for await (const _ of queue) break;
    expect(left.mock.calls).toEqual([[queue]]);
    queue.push(numbered(3));
    expect(await queue.next()).toEqual(end);
  });

  test('lets go of its own wait', async () => {
    const waiting = queue.next();
    expect(await queue.return()).toEqual(end);
    expect(await waiting).toEqual(end);
  });
});
