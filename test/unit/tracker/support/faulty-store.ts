import { MemoryStore } from '../../../../src/tracker/memory-store.js';
import type {
  ChangeResult,
  OpenedStore,
  Store,
  StoreChange,
} from '../../../../src/tracker/store.js';

type Fault =
  /** Nothing is stored. */
  | { readonly before: Error }
  /** All is stored, and nobody is told. */
  | { readonly after: Error };

/** A store that fails when it is told to, and can be held up. */
export class FaultyStore implements Store {
  readonly #store: Store;
  readonly #faults: Fault[] = [];
  #hold: Promise<void> = Promise.resolve();
  /** What each commit was given. */
  readonly commits: (readonly StoreChange[])[] = [];
  /** Opening it fails so often. */
  failOpens = 0;

  constructor(store: Store = new MemoryStore()) {
    this.#store = store;
  }

  /** Of the next commits, in order. */
  fail(...faults: Fault[]): void {
    this.#faults.push(...faults);
  }

  /** Forgets the faults that have not come to pass. */
  clear(): void {
    this.#faults.length = 0;
  }

  /** Commits wait until the function that is returned is called. */
  hold(): () => void {
    let release = (): void => {};
    this.#hold = new Promise((resolve) => {
      release = resolve;
    });
    return () => release();
  }

  async open(): Promise<OpenedStore> {
    if (this.failOpens > 0) {
      this.failOpens -= 1;
      throw new Error('the store cannot be opened');
    }
    return await this.#store.open();
  }

  async commit(changes: readonly StoreChange[]): Promise<readonly ChangeResult[]> {
    this.commits.push(changes);
    await this.#hold;
    const fault = this.#faults.shift();
    if (fault === undefined) return await this.#store.commit(changes);
    if ('before' in fault) throw fault.before;
    await this.#store.commit(changes);
    throw fault.after;
  }

  changes: Store['changes'] = (from) => this.#store.changes(from);

  close(): Promise<void> {
    return this.#store.close();
  }
}
