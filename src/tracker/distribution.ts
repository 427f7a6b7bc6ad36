/** A number of devices, and which of the stocks may give them. */
export interface Demand {
  readonly needed: number;
  /** By place of the stock. */
  readonly accepts: readonly boolean[];
}

/** Devices that are all alike. */
export interface Stock {
  readonly count: number;
  /** A PF's stock and those of its VFs have the same; whoever takes of the one leaves none of the other. */
  readonly address: string | null;
  readonly isPf: boolean;
}

/**
 * How many of each stock every demand gets, so that all are met; null when that is impossible. All
 * ways are searched: which PFs are given whole is tried in order of their number, the rest is a flow.
 * PFs that are alike to all demands are told apart by their number only.
 */
export function bestDistribution(
  demands: readonly Demand[],
  stocks: readonly Stock[],
): number[][] | null {
  const contested = contestedPfs(demands, stocks);
  const wanted = demands.reduce(
    (sum, { needed, accepts }) =>
      sum + (stocks.some(({ isPf }, place) => isPf && accepts[place] === true) ? needed : 0),
    0,
  );
  for (let whole = 0; whole <= wanted; whole++) {
    let tried = false;
    for (const given of choices(contested, whole)) {
      tried = true;
      const met = flow(demands, remaining(stocks, contested, given));
      if (met !== null) return met;
    }
    if (!tried) return null;
  }
  return null;
}

/** Addresses whose PF some demand would take, and whose VFs some demand would take too, by kind. */
function contestedPfs(demands: readonly Demand[], stocks: readonly Stock[]): string[][] {
  const takers = stocks.map((_, place) => demands.map(({ accepts }) => accepts[place] === true));
  const isTaken = (place: number): boolean => takers[place]?.includes(true) === true;
  const byAddress = new Map<string, number[]>();
  for (const [place, { address, count }] of stocks.entries()) {
    if (address === null || count === 0 || !isTaken(place)) continue;
    const places = byAddress.get(address);
    if (places === undefined) byAddress.set(address, [place]);
    else places.push(place);
  }
  const kinds = new Map<string, string[]>();
  for (const [address, places] of byAddress) {
    const isPf = (place: number): boolean => stocks[place]?.isPf === true;
    if (!places.some(isPf) || places.every(isPf)) continue;
    const kind = JSON.stringify(
      places.map((place) => [isPf(place), stocks[place]?.count, takers[place]]).sort(),
    );
    const alike = kinds.get(kind);
    if (alike === undefined) kinds.set(kind, [address]);
    else alike.push(address);
  }
  return [...kinds.values()];
}

/** All ways to choose so many addresses, as the number of the first of each kind. */
function* choices(kinds: readonly string[][], total: number): Generator<readonly number[]> {
  const [first, ...others] = kinds;
  if (first === undefined) {
    if (total === 0) yield [];
    return;
  }
  for (let own = 0; own <= Math.min(total, first.length); own++) {
    for (const rest of choices(others, total - own)) yield [own, ...rest];
  }
}

/** What every stock can still give when those PFs are given whole, and no other contested one. */
function remaining(
  stocks: readonly Stock[],
  contested: readonly string[][],
  given: readonly number[],
): number[] {
  const whole = new Map<string, boolean>();
  for (const [kind, addresses] of contested.entries()) {
    for (const [place, address] of addresses.entries()) {
      whole.set(address, place < (given[kind] ?? 0));
    }
  }
  return stocks.map(({ count, address, isPf }) => {
    const asWhole = address === null ? undefined : whole.get(address);
    return asWhole === undefined || asWhole === isPf ? count : 0;
  });
}

/** Meets the demands one device after the other, moving those before it where that makes room. */
function flow(demands: readonly Demand[], capacity: readonly number[]): number[][] | null {
  const left = [...capacity];
  const given = demands.map(() => capacity.map(() => 0));
  for (const [demand, { needed }] of demands.entries()) {
    for (let unit = 0; unit < needed; unit++) {
      if (!augment(demands, left, given, demand, new Set())) return null;
    }
  }
  return given;
}

/** Gives the demand one more device; `seen` are the stocks that have been tried. */
function augment(
  demands: readonly Demand[],
  left: number[],
  given: number[][],
  demand: number,
  seen: Set<number>,
): boolean {
  const accepts = demands[demand]?.accepts ?? [];
  for (const [stock, accepted] of accepts.entries()) {
    if (!accepted || seen.has(stock)) continue;
    seen.add(stock);
    if ((left[stock] ?? 0) > 0) {
      change(left, stock, -1);
      change(given[demand], stock, 1);
      return true;
    }
    for (const [other, counts] of given.entries()) {
      if (other === demand || (counts[stock] ?? 0) === 0) continue;
      if (augment(demands, left, given, other, seen)) {
        change(counts, stock, -1);
        change(given[demand], stock, 1);
        return true;
      }
    }
  }
  return false;
}

function change(counts: number[] | undefined, place: number, by: number): void {
  if (counts !== undefined) counts[place] = (counts[place] ?? 0) + by;
}
