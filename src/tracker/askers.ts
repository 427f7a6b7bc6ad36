/** Those who ask for one claim. */
export interface Askers {
  /** How many still want it. */
  wanting: number;
  /** Whether one of them has got it. */
  answered: boolean;
  /** How many have not been told yet, those who have given up included. */
  present: number;
}

/** Who waits for claims that are not durable yet, by the claims' fences. */
export class AskersOfClaims {
  readonly #askers = new Map<number, Askers>();
  #whenNone: () => void = () => {};

  /** The claim is new, and the first asks for it. */
  first(fence: number): Askers {
    const askers = { wanting: 1, answered: false, present: 1 };
    this.#askers.set(fence, askers);
    return askers;
  }

  /** Another asks for it. Null: it is not being made, but has been for long. */
  another(fence: number): Askers | null {
    const askers = this.#askers.get(fence);
    if (askers === undefined) return null;
    askers.wanting += 1;
    askers.present += 1;
    return askers;
  }

  /** One of them has been told. */
  leave(fence: number, askers: Askers): void {
    askers.present -= 1;
    if (askers.present > 0) return;
    this.#askers.delete(fence);
    if (this.#askers.size === 0) this.#whenNone();
  }

  /** Resolves when nobody waits. */
  async none(): Promise<void> {
    if (this.#askers.size === 0) return;
    await new Promise<void>((done) => {
      this.#whenNone = done;
    });
  }
}
