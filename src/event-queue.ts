/** Events that one consumer may leave waiting. */
const maxWaiting = 4096;

/**
 * One consumer's events. A consumer that falls behind by more than the queue holds is told to take
 * everything anew instead: memory stays bounded, and nobody works through what is long past.
 */
export class EventQueue<Event> implements AsyncIterableIterator<Event, undefined, undefined> {
  readonly #onReturn: (queue: EventQueue<Event>) => void;
  readonly #resync: Event;
  #waiting: Event[] = [];
  #next = 0;
  #consumer: PromiseWithResolvers<IteratorResult<Event, undefined>> | undefined;
  #end: { readonly reason: unknown } | 'done' | undefined;

  /**
   * @param resync tells the consumer that it was too slow
   * @param onReturn called when the consumer leaves its loop
   */
  constructor(resync: Event, onReturn: (queue: EventQueue<Event>) => void) {
    this.#resync = resync;
    this.#onReturn = onReturn;
  }

  push(event: Event): void {
    if (this.#end !== undefined) return;
    if (this.#consumer !== undefined) {
      this.#consumer.resolve({ done: false, value: event });
      this.#consumer = undefined;
      return;
    }
    if (this.#waiting.length - this.#next >= maxWaiting) {
      this.#waiting = [this.#resync];
      this.#next = 0;
    }
    this.#waiting.push(event);
  }

  /** After what waits, the loop ends; with a failure, at once and by throwing its reason. */
  end(failure?: { readonly reason: unknown }): void {
    if (this.#end !== undefined) return;
    this.#end = failure ?? 'done';
    if (failure !== undefined) this.#drop();
    if (this.#consumer === undefined) return;
    if (failure === undefined) this.#consumer.resolve({ done: true, value: undefined });
    else this.#consumer.reject(failure.reason);
    this.#consumer = undefined;
    // Whoever waited has been told.
    this.#end = 'done';
  }

  async next(): Promise<IteratorResult<Event, undefined>> {
    const event = this.#waiting[this.#next];
    if (event !== undefined) {
      this.#next++;
      // Seldom, so that it costs nothing; but a consumer that always has one waiting must not keep
      // all that it ever took.
      if (this.#next === this.#waiting.length || this.#next === maxWaiting) this.#forgetTaken();
      return { done: false, value: event };
    }
    if (this.#end === 'done') return { done: true, value: undefined };
    if (this.#end !== undefined) {
      const { reason } = this.#end;
      this.#end = 'done';
      throw reason;
    }
    if (this.#consumer !== undefined) {
      throw new TypeError('the event before this one has not been taken yet');
    }
    this.#consumer = withResolvers();
    return await this.#consumer.promise;
  }

  async return(): Promise<IteratorResult<Event, undefined>> {
    this.end();
    this.#drop();
    this.#onReturn(this);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #forgetTaken(): void {
    this.#waiting = this.#waiting.slice(this.#next);
    this.#next = 0;
  }

  #drop(): void {
    this.#waiting = [];
    this.#next = 0;
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: unknown): void;
}

/** Node 20 has no Promise.withResolvers. */
function withResolvers<T>(): PromiseWithResolvers<T> {
  let settle: Omit<PromiseWithResolvers<T>, 'promise'> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  if (settle === undefined) throw new Error('unreachable');
  return { promise, ...settle };
}
