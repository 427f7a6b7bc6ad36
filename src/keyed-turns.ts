import { abortable } from './abortable.js';

/** Lets calls that have to do with the same thing follow one another, and others run beside them. */
export class KeyedTurns {
  /** Of each key, the end of the call that asked last. */
  readonly #last = new Map<string, Promise<void>>();

  /**
   * Runs the work when all that was asked before with any of the keys is done.
   *
   * @throws the signal's reason, when it is aborted before it is the work's turn
   */
  async run<T>(
    keys: readonly string[],
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const before = Promise.all(keys.map((key) => this.#last.get(key)));
    const turn = abortable(before, signal);
    // Whoever comes after a call that has given up waits for those before it.
    const result = turn.then(work);
    const own = Promise.allSettled([before, result]).then(() => {
      for (const key of keys) if (this.#last.get(key) === own) this.#last.delete(key);
    });
    for (const key of keys) this.#last.set(key, own);
    return await result;
  }

  /** Resolves when what was asked with the key by now is done, with whether there was any. */
  async after(key: string): Promise<boolean> {
    const last = this.#last.get(key);
    await last;
    return last !== undefined;
  }

  /** Resolves when all that has been asked for by now is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
