/** Where the thing is, or belongs, in a list in order. */
export function placeIn<T>(list: readonly T[], thing: T, compare: (a: T, b: T) => number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = list[middle];
    if (there !== undefined && compare(there, thing) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
