import { stat } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { eachInTurns, finish, inTurns, mapInTurns, type Pausing } from '../../src/turns.js';

const many = Array.from({ length: 3000 }, (_, index) => index);

/** Computes for longer than a turn lasts. */
function compute(): void {
  const end = performance.now() + 5;
  while (performance.now() < end);
}

describe('work in turns', () => {
  test('is done at once when it does not pause', async () => {
    const log: string[] = [];
    setImmediate(() => log.push('other'));
    expect(await inTurns(eachInTurns([1, 2], (thing) => log.push(`${thing}`)))).toBe(undefined);
    expect(log).toEqual(['1', '2']);
  });

  test('lets others go first before its first turn and after each, and not within', async () => {
    const log: string[] = [];
    const other = (name: string) => setImmediate(() => log.push(name));
    function* work(): Pausing<string> {
      other('before');
      log.push('first');
      yield;
      other('between');
      log.push('second');
      yield;
      log.push('third');
      compute();
      yield;
      log.push('fourth');
      return 'done';
    }
    expect(await inTurns(work())).toBe('done');
    expect(log).toEqual(['first', 'before', 'second', 'third', 'between', 'fourth']);
  });

  test('lets timers run between any two turns, whatever phase of the loop it began in', async () => {
    const log: string[] = [];
    function* work(): Pausing<void> {
      for (let turn = 0; turn < 5; turn++) {
        yield;
        log.push('turn');
        compute();
      }
    }
    // What became of a file is told in the phase in which an addon's answers come too.
    await new Promise<void>((resolve) => stat('.', () => resolve()));
    const timer = setInterval(() => log.push('timer'), 1);
    await inTurns(work());
    clearInterval(timer);
    expect(log.join(' ')).toMatch(/^(?:timer )*turn(?:(?: timer)+ turn){4}$/);
  });

  test('rejects with what it throws', async () => {
    const work = eachInTurns(many, (thing) => {
      if (thing === 500) throw new RangeError('500');
    });
    await expect(inTurns(work)).rejects.toThrow(RangeError);
  });

  test('maps all in order, with pauses on the way', () => {
    const work = mapInTurns(many, (thing, index) => thing + index);
    const pauses = [...work].length;
    expect(pauses).toBeGreaterThan(3);
    expect(finish(mapInTurns(many, (thing, index) => thing + index))).toEqual(
      many.map((thing) => 2 * thing),
    );
  });
});
