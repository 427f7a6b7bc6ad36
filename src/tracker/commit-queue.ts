import { setImmediate as turn } from 'node:timers/promises';
import { VdpaError } from '../errors.js';
import { type Decision, isEmpty, storeChange } from './decision.js';
import type { Ledger } from './ledger.js';
import type { Store } from './store.js';

/** So many are answered before the event loop goes on. */
const answersInTurn = 16;

interface Waiting {
  readonly decision: Decision;
  resolve(): void;
  reject(reason: unknown): void;
}

/** What whoever made a decision is told when the store refused an earlier one. */
function builtOn(cause: unknown): VdpaError {
  const { code, message } =
    cause instanceof VdpaError ? cause : { code: 'STORE_FAILED' as const, message: String(cause) };
  return new VdpaError(code, `a decision before this one could not be stored: ${message}`, {
    outcome: 'undone',
    retry: 'later',
    cause,
  });
}

/**
 * Makes the decisions of a ledger durable, in order, all that arrived during one commit with the
 * next. When the store fails, that commit's decisions and all behind it are undone.
 */
export class CommitQueue {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #onDurable: (decision: Decision) => void;
  readonly #onDoubt: (reason: unknown) => void;
  #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;
  /** Of the decision that was made last. */
  #last: Promise<void> = Promise.resolve();
  #doubt: { readonly reason: unknown } | null = null;

  /**
   * @param onDurable told in the order of the decisions, before who made them is
   * @param onDoubt what the ledger has may not be what the store has: nothing more is taken
   */
  constructor(
    store: Store,
    ledger: Ledger,
    onDurable: (decision: Decision) => void,
    onDoubt: (reason: unknown) => void,
  ) {
    this.#store = store;
    this.#ledger = ledger;
    this.#onDurable = onDurable;
    this.#onDoubt = onDoubt;
  }

  /**
   * Applies the decision to the ledger at once, and resolves when it and all before it are durable.
   * One that changes nothing resolves when what it found is durable.
   *
   * @throws {VdpaError} `STORE_FULL`, `STORE_BUSY`, `STORE_CONFLICT`, `STORE_FAILED`
   */
  commit(decision: Decision): Promise<void> {
    if (this.#doubt !== null) return Promise.reject(builtOn(this.#doubt.reason));
    if (isEmpty(decision)) return this.#last;
    this.#ledger.apply(decision);
    const durable = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ decision, resolve, reject });
    });
    this.#last = durable;
    this.#running ??= this.#run();
    return durable;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // All that is decided in one go is stored in one go.
    await null;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#commitBatch(batch);
    }
    this.#running = null;
  }

  async #commitBatch(batch: readonly Waiting[]): Promise<void> {
    let results: Awaited<ReturnType<Store['commit']>>;
    try {
      results = await this.#store.commit(batch.map(({ decision }) => storeChange(decision)));
    } catch (error) {
      this.#fail(batch, error);
      if (!(error instanceof VdpaError) || error.outcome === 'unknown') this.#giveUp(error);
      return;
    }
    const refused: { readonly one: Waiting; readonly error: VdpaError }[] = [];
    let place = 0;
    for (const one of batch) {
      // Whoever is answered decides the next thing at once: others get their turn in between.
      if (place % answersInTurn === 0 && place > 0) await turn();
      const result = results[place];
      if (result?.committed === true) {
        this.#ledger.settle(one.decision);
        this.#onDurable(one.decision);
        one.resolve();
      } else {
        refused.push({ one, error: conflict(result?.conflict) });
      }
      place += 1;
    }
    if (refused.length === 0) return;
    const [first] = refused;
    this.#fail([], first?.error);
    for (const { one, error } of refused.reverse()) {
      this.#ledger.undo(one.decision);
      one.reject(error);
    }
    this.#giveUp(first?.error);
  }

  /** Undoes the batch and all that was decided since, newest first. */
  #fail(batch: readonly Waiting[], reason: unknown): void {
    const behind = this.#waiting;
    this.#waiting = [];
    // For those that find nothing to change: what they found has been undone.
    this.#last = Promise.resolve();
    for (const { decision } of [...batch, ...behind].reverse()) this.#ledger.undo(decision);
    for (const { reject } of batch) reject(reason);
    for (const { reject } of behind) reject(builtOn(reason));
  }

  #giveUp(reason: unknown): void {
    this.#doubt = { reason };
    this.#onDoubt(reason);
  }
}

function conflict(document: string | undefined): VdpaError {
  return new VdpaError(
    'STORE_CONFLICT',
    `the store has another version of ${document ?? 'a document'}: somebody else wrote to it`,
    { outcome: 'undone', retry: 'later' },
  );
}
