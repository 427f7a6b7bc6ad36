import { type Outcome, restated, VdpaError } from '../errors.js';

/** One step of a change that is done as a whole or not at all. */
export interface Step {
  /** What it does: `give QEMU the char device`. The `step` of an error. */
  readonly what: string;
  /** What stands on the host or in the guest once it is done, for people who must take it away by hand. */
  readonly leaves?: string | undefined;
  /** @param signal ends the step: what it did until then is undone */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Takes back what `run` did, all of it, some or nothing: it is also called when `run` failed, and
   * cannot know how far it came. What is not there is success.
   */
  undo?(): Promise<void>;
}

export interface StepOptions {
  readonly signal?: AbortSignal | undefined;
  /** When all steps are to be done, on the clock of `performance.now()`. */
  readonly deadline: number;
  /** The error when they are not. */
  readonly late: (step: Step) => VdpaError;
}

/** The longest that a timer of Node's can wait. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Runs steps one after the other. When one fails, is aborted or comes too late, it and those before it
 * are undone in reverse. The first that cannot be undone ends that: what was done before it may be what
 * it stands on.
 *
 * @throws {VdpaError} the failed step's, with `step`, `outcome` and `leftovers` set; what is thrown that
 *   is no VdpaError comes as it is when all was undone, else as the cause of one
 * @throws the signal's reason, when it was aborted and all was undone
 */
export async function runSteps(
  steps: readonly Step[],
  { signal, deadline, late }: StepOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const ending = new AbortController();
  const abort = (): void => ending.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  let current: Step | undefined;
  const timer = setTimeout(
    () => {
      if (current !== undefined) ending.abort(late(current));
    },
    Math.min(Math.max(deadline - performance.now(), 0), longestTimerMs),
  );
  const begun: Step[] = [];
  try {
    for (const step of steps) {
      current = step;
      ending.signal.throwIfAborted();
      begun.push(step);
      await step.run(ending.signal);
    }
    ending.signal.throwIfAborted();
  } catch (error) {
    throw await undone(begun, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

/** The error to throw once everything that can be undone is. */
async function undone(begun: readonly Step[], error: unknown): Promise<unknown> {
  const failed = begun.at(-1);
  for (let last = begun.length - 1; last >= 0; last--) {
    try {
      await begun[last]?.undo?.();
    } catch (refusal) {
      return incomplete(failed, begun.slice(0, last + 1), error, refusal);
    }
  }
  if (!(error instanceof VdpaError)) return error;
  const changed =
    begun.slice(0, -1).some(({ undo }) => undo !== undefined) ||
    (failed?.undo !== undefined && error.outcome !== 'unchanged');
  return ofStep(error, failed, changed ? 'undone' : 'unchanged', error.leftovers);
}

function incomplete(
  failed: Step | undefined,
  standing: readonly Step[],
  error: unknown,
  refusal: unknown,
): VdpaError {
  const left = standing.flatMap(({ leaves }) => (leaves === undefined ? [] : [leaves]));
  const known = error instanceof VdpaError ? error : null;
  const told = known ?? (refusal instanceof VdpaError ? refusal : null);
  const text = (thrown: unknown): string =>
    thrown instanceof Error ? thrown.message : String(thrown);
  return new VdpaError(
    told?.code ?? 'GUEST_REFUSED',
    `${text(error)}; then it could not be undone: ${text(refusal)}`,
    {
      errno: told?.errno,
      extack: told?.extack,
      step: failed?.what,
      outcome: 'partial',
      retry: told?.retry ?? 'after-fix',
      leftovers: [...(known?.leftovers ?? []), ...left],
      cause: error,
    },
  );
}

function ofStep(
  error: VdpaError,
  failed: Step | undefined,
  outcome: Outcome,
  leftovers: readonly string[],
): VdpaError {
  return restated(error, error.message, {
    step: failed?.what ?? error.step,
    outcome: leftovers.length > 0 ? 'partial' : outcome,
    leftovers,
    cause: error.cause ?? error,
  });
}
