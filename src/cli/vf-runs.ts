import type { VirtualFunction } from '../index.js';
import type { VfBranch } from './host-tree.js';

/** Fewer than this are shown one by one. */
const minimumRun = 3;

/** Neighbouring VFs of one PF that have no vDPA device and do not differ otherwise. */
export interface VfRun {
  readonly type: 'run';
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly driver: string | null;
  /** Whether each of them is a management device: a vDPA device can be made on it. */
  readonly canMake: boolean;
}

/** Puts long runs of VFs without any device together; all others stay as they are, in order. */
export function vfRuns(
  vfs: readonly VfBranch[],
  managed: ReadonlySet<string>,
): (VfBranch | VfRun)[] {
  const result: (VfBranch | VfRun)[] = [];
  let run: VfBranch[] = [];
  const flush = (): void => {
    const [first, last] = [run[0]?.vf, run.at(-1)?.vf];
    if (run.length < minimumRun || first === undefined || last === undefined) {
      result.push(...run);
    } else {
      result.push({
        type: 'run',
        first: first.vfIndex ?? 0,
        last: last.vfIndex ?? 0,
        count: run.length,
        driver: first.driver,
        canMake: canMake(first, managed),
      });
    }
    run = [];
  };
  for (const branch of vfs) {
    const previous = run.at(-1)?.vf;
    if (branch.devices.length > 0) {
      flush();
      result.push(branch);
      continue;
    }
    if (previous !== undefined && !continues(previous, branch.vf, managed)) flush();
    run.push(branch);
  }
  flush();
  return result;
}

function continues(
  previous: VirtualFunction,
  next: VirtualFunction,
  managed: ReadonlySet<string>,
): boolean {
  return (
    previous.vfIndex !== null &&
    next.vfIndex === previous.vfIndex + 1 &&
    next.driver === previous.driver &&
    canMake(next, managed) === canMake(previous, managed)
  );
}

/** @param managed handles of the host's management devices */
export function canMake({ address }: VirtualFunction, managed: ReadonlySet<string>): boolean {
  return managed.has(`pci/${address}`);
}
