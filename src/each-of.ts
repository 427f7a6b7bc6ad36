/**
 * Does work for each item, several at a time.
 *
 * @returns what it gave, in the items' order
 * @throws what the first of them throws; no more are begun then, and those under way have ended
 */
export async function eachOf<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const rest = items.entries();
  let failed = false;
  const lane = async (): Promise<void> => {
    for (const [index, item] of rest) {
      if (failed) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(atOnce, items.length) }, lane);
  const ends = await Promise.allSettled(lanes);
  const end = ends.find((one) => one.status === 'rejected');
  if (end !== undefined) throw end.reason;
  return results;
}
