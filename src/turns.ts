import { setImmediate } from 'node:timers/promises';

/** Work that pauses now and then, so that whoever runs it may let others go first. */
export type Pausing<T> = Generator<undefined, T, undefined>;

/** Milliseconds that one piece of work may hold the event loop. */
const turnMs = 2;

/** How many things to do between two pauses: some hundred microseconds' worth, so that it pays to look at the clock. */
export const thingsPerPause = 512;

/**
 * Runs pausing work in turns of two milliseconds; between them everything else has its own, timers
 * included. So no turn begins where the caller happens to be: after what woke the loop immediates
 * come first, timers later. What ends before its first pause is done at once.
 */
export async function inTurns<T>(work: Pausing<T>): Promise<T> {
  let step = work.next();
  while (!step.done) {
    await setImmediate();
    const began = performance.now();
    do step = work.next();
    while (!step.done && performance.now() - began < turnMs);
  }
  return step.value;
}

/** Does pausing work at once: for what is known to be little. */
export function finish<T>(work: Pausing<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** `Array.prototype.forEach` that pauses. */
export function* eachInTurns<T>(
  things: readonly T[],
  visit: (thing: T, index: number) => void,
): Pausing<void> {
  // An iterator would make garbage for each thing, and there are thousands.
  for (let index = 0; index < things.length; ) {
    visit(things[index] as T, index);
    if (++index % thingsPerPause === 0) yield;
  }
}

/** `Array.prototype.map` that pauses. */
export function* mapInTurns<T, U>(
  things: readonly T[],
  map: (thing: T, index: number) => U,
): Pausing<U[]> {
  const mapped: U[] = [];
  yield* eachInTurns(things, (thing, index) => mapped.push(map(thing, index)));
  return mapped;
}

/** An index of things by what is theirs alone; of two that claim the same the later one stays. */
export function* indexed<T, K>(things: readonly T[], keyOf: (thing: T) => K): Pausing<Map<K, T>> {
  const index = new Map<K, T>();
  yield* eachInTurns(things, (thing) => index.set(keyOf(thing), thing));
  return index;
}
