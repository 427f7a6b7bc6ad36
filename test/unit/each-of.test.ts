import { describe, expect, test } from 'vitest';
import { eachOf } from '../../src/each-of.js';

/** Work that ends when it is told to. */
function gates() {
  const all: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const begun: number[] = [];
  const work = async (item: number): Promise<string> => {
    begun.push(item);
    await new Promise<void>((resolve, reject) => {
      all[item] = { resolve, reject };
    });
    return `done ${item}`;
  };
  return { all, begun, work };
}

describe('work for each item', () => {
  test('is done for so many at a time, and told in the items’ order', async () => {
    const { all, begun, work } = gates();
    const done = eachOf([0, 1, 2, 3], 2, work);
    await Promise.resolve();
    expect(begun).toEqual([0, 1]);
    all[1]?.resolve();
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1, 2]);
    all[0]?.resolve();
    await new Promise(setImmediate);
    for (const { resolve } of all) resolve();
    expect(await done).toEqual(['done 0', 'done 1', 'done 2', 'done 3']);
  });

  test('that fails begins no more, and waits for what is under way', async () => {
    const { all, begun, work } = gates();
    let ended = false;
    const done = eachOf([0, 1, 2, 3], 2, work).finally(() => {
      ended = true;
    });
    done.catch(() => {});
    all[0]?.reject(new Error('no'));
    await new Promise(setImmediate);
    expect([begun, ended]).toEqual([[0, 1], false]);
    all[1]?.resolve();
    await expect(done).rejects.toThrow('no');
    expect(begun).toEqual([0, 1]);
  });

  test('of none is nothing', async () => {
    expect(await eachOf([], 2, async () => 1)).toEqual([]);
  });
});
