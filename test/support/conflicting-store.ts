import type {
  ChangeResult,
  ChangesSince,
  OpenedStore,
  Store,
  StoreChange,
} from '../../src/tracker/store.js';

/** Which change of which commit is to be in conflict, both counted from 0. */
export interface Conflict {
  readonly commit: number;
  readonly change: number;
}

/** Another store, in which somebody else was faster with one change of a batch. */
export class ConflictingStore implements Store {
  readonly #store: Store;
  readonly #conflicts: readonly Conflict[];
  #commits = 0;

  constructor(store: Store, conflicts: readonly Conflict[]) {
    this.#store = store;
    this.#conflicts = conflicts;
  }

  open(): Promise<OpenedStore> {
    return this.#store.open();
  }

  async commit(changes: readonly StoreChange[]): Promise<readonly ChangeResult[]> {
    const commit = this.#commits++;
    const chosen = (change: number): boolean =>
      this.#conflicts.some((conflict) => conflict.commit === commit && conflict.change === change);
    const others = changes.filter((_, index) => !chosen(index));
    const results = (await this.#store.commit(others)).values();
    return changes.map((change, index): ChangeResult => {
      const conflict = (change.claims[0] ?? change.devices[0])?.id;
      if (chosen(index) && conflict !== undefined) return { committed: false, conflict };
      const { value } = results.next();
      if (value === undefined) throw new TypeError('the store answered too little');
      return value;
    });
  }

  changes(fromRevision: number): Promise<ChangesSince | null> {
    return this.#store.changes(fromRevision);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
