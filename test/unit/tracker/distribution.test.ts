import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bestDistribution, type Demand, type Stock } from '../../../src/tracker/distribution.js';

/** Tries every way to give one device after the other. */
function possible(demands: readonly Demand[], stocks: readonly Stock[]): boolean {
  const units = demands.flatMap(({ needed, accepts }) =>
    Array<readonly boolean[]>(needed).fill(accepts),
  );
  const given = stocks.map(() => 0);
  const fits = (): boolean =>
    stocks.every(({ isPf, address }, place) =>
      !isPf || given[place] === 0 || address === null
        ? true
        : stocks.every(
            (other, index) => other.isPf || other.address !== address || given[index] === 0,
          ),
    );
  const place = (unit: number): boolean => {
    const accepts = units[unit];
    if (accepts === undefined) return true;
    return stocks.some(({ count }, stock) => {
      if (accepts[stock] !== true || (given[stock] ?? 0) >= count) return false;
      given[stock] = (given[stock] ?? 0) + 1;
      if (fits() && place(unit + 1)) return true;
      given[stock] = (given[stock] ?? 0) - 1;
      return false;
    });
  };
  return place(0);
}

const stock = fc.record({
  count: fc.integer({ min: 0, max: 3 }),
  address: fc.constantFrom(null, 'a', 'b', 'c'),
  isPf: fc.boolean(),
});

const problem = fc.array(stock, { maxLength: 6 }).chain((stocks) =>
  fc.record({
    stocks: fc.constant(
      stocks.map((one) => (one.isPf ? { ...one, count: Math.min(1, one.count) } : one)),
    ),
    demands: fc.array(
      fc.record({
        needed: fc.integer({ min: 0, max: 3 }),
        accepts: fc.array(fc.boolean(), { minLength: stocks.length, maxLength: stocks.length }),
      }),
      { maxLength: 3 },
    ),
  }),
);

test('devices are found for all demands exactly when there is a way', () => {
  fc.assert(
    fc.property(problem, ({ stocks, demands }) => {
      const found = bestDistribution(demands, stocks);
      expect(found !== null).toBe(possible(demands, stocks));
      if (found === null) return;
      const used = stocks.map((_, place) =>
        found.reduce((sum, counts) => sum + (counts[place] ?? 0), 0),
      );
      for (const [demand, { needed, accepts }] of demands.entries()) {
        const counts = found[demand] ?? [];
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(needed);
        for (const [place, count] of counts.entries())
          if (count > 0) expect(accepts[place]).toBe(true);
      }
      for (const [place, { count, isPf, address }] of stocks.entries()) {
        expect(used[place]).toBeLessThanOrEqual(count);
        if (!isPf || used[place] === 0 || address === null) continue;
        for (const [other, one] of stocks.entries()) {
          if (!one.isPf && one.address === address) expect(used[other]).toBe(0);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
