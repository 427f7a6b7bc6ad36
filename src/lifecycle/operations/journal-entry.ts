import { VdpaError } from '../../errors.js';
import { type Check, wrongIn } from '../../tracker/form.js';
import { type Operation, underWay } from '../../tracker/operation.js';
import type { Tracker } from '../../tracker/tracker.js';

export type Journal = Pick<Tracker, 'operationOf' | 'setOperation'>;

/** An operation as one of its kind has it. */
export interface OperationOf<Step extends string, Detail> extends Operation {
  readonly step: Step;
  readonly detail: Readonly<Record<string, unknown>> & Detail;
}

/** What is kept of one operation under way: each step is durable before it is begun. */
export class JournalEntry<Step extends string, Detail> {
  readonly #journal: Journal;
  #now: OperationOf<Step, Detail>;

  /** Of an operation that the journal has. */
  constructor(journal: Journal, now: OperationOf<Step, Detail>) {
    this.#journal = journal;
    this.#now = now;
  }

  /** @throws {VdpaError} `OPERATION_UNDER_WAY`, those of `Tracker.setOperation` */
  static async begin<Step extends string, Detail>(
    journal: Journal,
    first: OperationOf<Step, Detail>,
  ): Promise<JournalEntry<Step, Detail>> {
    await journal.setOperation(first.instance, null, first);
    return new JournalEntry(journal, first);
  }

  get operation(): OperationOf<Step, Detail> {
    return this.#now;
  }

  get kind(): string {
    return this.#now.kind;
  }

  get detail(): Detail {
    return this.#now.detail;
  }

  /** @param kind of an operation with the same steps, as which it goes on. Default: as it is */
  async advance(
    step: Step,
    changed: Partial<Detail> = {},
    kind: string = this.#now.kind,
  ): Promise<void> {
    const next = { ...this.#now, kind, step, detail: { ...this.#now.detail, ...changed } };
    await this.#journal.setOperation(this.#now.instance, this.#now, next);
    this.#now = next;
  }

  /** It ends, and the instance is in another from then on. */
  async become(other: Operation): Promise<void> {
    await this.#journal.setOperation(this.#now.instance, this.#now, other);
  }

  async end(): Promise<void> {
    await this.#journal.setOperation(this.#now.instance, this.#now, null);
  }
}

/**
 * An instance's operation as one of its kind has it; null when there is none.
 *
 * @throws {VdpaError} `OPERATION_UNDER_WAY` when it is of another kind, `STORE_CORRUPT` when it makes no
 *   sense
 */
export function entryOf<Step extends string, Detail>(
  operation: Operation | null,
  kind: string,
  steps: readonly Step[],
  detailForm: Check,
): OperationOf<Step, Detail> | null {
  if (operation === null) return null;
  if (operation.kind !== kind) throw underWay(operation);
  const wrong = wrongIn(detailForm, operation.detail, false);
  const isStep = steps.some((step) => step === operation.step);
  if (wrong === null && isStep) return operation as OperationOf<Step, Detail>;
  throw new VdpaError(
    'STORE_CORRUPT',
    `the operation of instance ${operation.instance} makes no sense: ${wrong ?? operation.step}`,
  );
}
