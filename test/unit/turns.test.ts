import { describe, expect, test } from 'vitest';
import { eachInTurns, finish, inTurns, mapInTurns, type Pausing } from '../../src/turns.js';

const many = Array.from({ length: 3000 }, (_, index) => index);

/** Computes for longer than a turn lasts. */
function compute(): void {
  const end = performance.now() + 5;
  while (performance.now() < end);
}

describe('work in turns', () => {
  test('lets others go first once its turn is over, and not before', async () => {
    const log: string[] = [];
    function* work(): Pausing<string> {
      setImmediate(() => log.push('other'));
      log.push('first');
      yield;
      log.push('second');
      compute();
      yield;
      log.push('third');
      return 'done';
    }
    expect(await inTurns(work())).toBe('done');
    expect(log).toEqual(['first', 'second', 'other', 'third']);
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
