import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyedTurns } from '../../src/keyed-turns.js';

test('calls of one key never run at the same time, and all come in the order in which they were asked', async () => {
  const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ keys, lasts: fc.nat(3), fails: fc.boolean() }), { maxLength: 8 }),
      async (calls) => {
        const turns = new KeyedTurns();
        const busy = new Set<string>();
        const begun: number[] = [];
        const all = calls.map((call, number) =>
          turns.run(call.keys, undefined, async () => {
            for (const key of call.keys) {
              expect(busy.has(key)).toBe(false);
              busy.add(key);
            }
            begun.push(number);
            for (let times = 0; times < call.lasts; times++) await turn();
            for (const key of call.keys) busy.delete(key);
            if (call.fails) throw new Error(`call ${number}`);
          }),
        );
        const results = await Promise.allSettled(all);
        expect(results.map(({ status }) => status === 'rejected')).toEqual(
          calls.map(({ fails }) => fails),
        );
        for (const key of ['a', 'b', 'c'] as const) {
          const own = begun.filter((number) => calls[number]?.keys.includes(key));
          expect(own).toEqual(own.toSorted((a, b) => a - b));
        }
      },
    ),
  );
});

test('who gives up before its turn does nothing, and holds nobody up', async () => {
  const turns = new KeyedTurns();
  let finish = (): void => {};
  const first = turns.run(['a'], undefined, () => new Promise<void>((done) => (finish = done)));
  const giving = new AbortController();
  const second = turns.run(['a'], giving.signal, async () => 'ran');
  const third = turns.run(['a'], undefined, async () => 'ran');
  giving.abort(new Error('no longer'));
  await expect(second).rejects.toThrow('no longer');
  expect(await Promise.race([third, turn('waits')])).toBe('waits');
  finish();
  await first;
  expect(await third).toBe('ran');
});
