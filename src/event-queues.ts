import { EventQueue } from './event-queue.js';

/** The consumers of somebody's events, each with a queue of its own. */
export class EventQueues<Event> {
  readonly #slow: Event;
  readonly #queues = new Set<EventQueue<Event>>();

  /** @param slow tells a consumer that it was too slow */
  constructor(slow: Event) {
    this.#slow = slow;
  }

  get isEmpty(): boolean {
    return this.#queues.size === 0;
  }

  /**
   * Every event from now on. A loop that is left, by whatever way, takes none any more.
   *
   * @param isOver there will be none: the loop ends, or throws the failure
   */
  open(isOver: boolean, failure?: { readonly reason: unknown }): EventQueue<Event> {
    const queue = new EventQueue<Event>(this.#slow, (done) => this.#queues.delete(done));
    if (isOver) queue.end(failure);
    else this.#queues.add(queue);
    return queue;
  }

  push(event: Event): void {
    for (const queue of this.#queues) queue.push(event);
  }

  /** Their loops end after what they have not taken yet; with a failure, at once and by throwing it. */
  end(failure?: { readonly reason: unknown }): void {
    for (const queue of this.#queues) queue.end(failure);
    this.#queues.clear();
  }
}
