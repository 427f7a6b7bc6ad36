/**
 * The candidates that a person may have meant, closest first: those which begin with the text or
 * contain it, and those a few keystrokes away.
 */
export function nearMisses(text: string, candidates: Iterable<string>, limit = 3): string[] {
  const wanted = text.toLowerCase();
  const most = Math.max(1, Math.floor(text.length / 4));
  const scored: { readonly candidate: string; readonly score: number }[] = [];
  for (const candidate of new Set(candidates)) {
    const lower = candidate.toLowerCase();
    const typos = distance(wanted, lower, most);
    if (typos <= most) scored.push({ candidate, score: typos });
    else if (wanted.length >= 3 && lower.includes(wanted)) {
      scored.push({ candidate, score: most + 1 });
    }
  }
  // The sort is stable: equals stay in the host's order.
  return scored
    .sort((a, b) => a.score - b.score)
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/**
 * Insertions, deletions, replacements and swaps of neighbours between two texts; any number above
 * `most` is as good as another.
 */
function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(
        (last[column - 1] ?? 0) + (same ? 0 : 1),
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
