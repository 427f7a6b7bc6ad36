// @ts-check
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** What goes on while a window lasts, and the longest delays of the event loop seen then. */
export class DelayWindow {
  /** @type {number[]} */
  longest = [];
  #work;
  #ms;

  /**
   * @param {(end: number) => Promise<unknown>} work ends at about `end`
   * @param {number} ms how long the window is
   */
  constructor(work, ms) {
    this.#work = work;
    this.#ms = ms;
  }

  async p99() {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await this.#work(performance.now() + this.#ms);
    histogram.disable();
    this.longest.push(histogram.max / 1e6);
    return histogram.percentile(99) / 1e6;
  }
}
