import type { StoreState } from '../../src/tracker/store.js';

/** The program that makes the storm. */
export const stormProgram = new URL('store-storm.mjs', import.meta.url).pathname;

/** By lane, the last step that was answered: what a storm has said, its last line maybe cut. */
export function answeredSteps(output: string, before: readonly number[]): number[] {
  const steps = [...before];
  for (const line of output.split('\n').slice(0, -1)) {
    const [, lane, step] = /^(\d+) (\d+)\r?$/.exec(line) ?? [];
    if (lane === undefined) throw new Error(`the storm says ${JSON.stringify(line)}`);
    steps[Number(lane)] = Math.max(steps[Number(lane)] ?? 0, Number(step));
  }
  return steps;
}

/**
 * By lane, the step that a store is at.
 *
 * @throws {Error} when a step is there by halves
 */
export function storedSteps({ devices, claims }: StoreState, lanes: number): number[] {
  return Array.from({ length: lanes }, (_, lane) => {
    const mine = devices
      .map(({ value }) => value)
      .filter(({ device }) => device.id === `vdpa/${lane}a` || device.id === `vdpa/${lane}b`);
    const held = claims.map(({ value }) => value).filter(({ id }) => id.startsWith(`${lane}-`));
    const states = new Set(mine.map(({ claimId, released }) => claimId ?? released));
    const [state = 0] = states;
    const whole =
      states.size <= 1 &&
      (mine.length === 2 || mine.length === 0) &&
      (typeof state === 'number'
        ? held.length === 0
        : held.length === 1 && held[0]?.id === state && held[0].devices.length === 2);
    if (!whole) throw new Error(`lane ${lane} is half done: ${JSON.stringify({ mine, held })}`);
    return typeof state === 'number' ? state : Number(state.split('-')[1]);
  });
}

/** How many answered steps are not in the store. */
export function lostSteps(answered: readonly number[], stored: readonly number[]): number {
  return answered.reduce((lost, step, lane) => lost + Math.max(0, step - (stored[lane] ?? 0)), 0);
}
