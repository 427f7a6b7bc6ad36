// @ts-check
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaHost } from './library.mjs';
import { Peer } from './peer.mjs';
import { atMost, row } from './row.mjs';
import { alternate, compare, median } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */

const windowMs = 1500;

/** What goes on while a window lasts, and the longest delays seen then. */
class Window {
  /** @type {number[]} */
  longest = [];
  #work;

  /** @param {(end: number) => Promise<unknown>} work ends at about `end` */
  constructor(work) {
    this.#work = work;
  }

  async p99() {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await this.#work(performance.now() + windowMs);
    histogram.disable();
    this.longest.push(histogram.max / 1e6);
    return histogram.percentile(99) / 1e6;
  }
}

/**
 * How long the process's other work waits while inventories follow one another without a pause:
 * against an idle process, and against one beside which another process does the same. The lab has
 * one processor and a clock tick of 10 ms, so whoever computes there delays everybody; only what the
 * second comparison shows is this process's own doing, so that one has the budget.
 *
 * @param {Plan} plan
 */
export async function eventLoopRows({ devices, judged }) {
  const host = await VdpaHost.open();
  const peer = new Peer(process.execPath, [join(import.meta.dirname, 'programs/inventory.mjs')]);
  const busy = new Window(async (end) => {
    while (performance.now() < end) await host.inventory();
  });
  const idle = new Window(() => sleep(windowMs));
  const beside = new Window(async (end) => {
    while (performance.now() < end) await peer.round();
  });
  try {
    for (let i = 0; i < 10; i++) {
      await host.inventory();
      await peer.round();
    }
    const againstIdle = compare(
      await alternate(
        5,
        () => busy.p99(),
        () => idle.p99(),
        1,
      ),
    );
    const againstPeer = compare(
      await alternate(
        5,
        () => busy.p99(),
        () => beside.p99(),
        1,
      ),
    );
    const longest = compare({ ours: [median(busy.longest)], theirs: [median(beside.longest)] });
    return [
      row({
        name: 'event-loop delay p99, inventories / idle',
        devices,
        unit: 'ms',
        ours: againstIdle.ours,
        theirs: againstIdle.theirs,
        figure: againstIdle.difference,
        figureUnit: 'ms more',
        budget: null,
      }),
      row({
        name: 'event-loop delay p99, inventories here / in another process',
        devices,
        unit: 'ms',
        ours: againstPeer.ours,
        theirs: againstPeer.theirs,
        figure: againstPeer.difference,
        figureUnit: 'ms more',
        budget: judged ? atMost(5) : null,
      }),
      row({
        name: 'event-loop delay, longest in 1.5 s, here / in another process',
        devices,
        unit: 'ms',
        ours: longest.ours,
        theirs: longest.theirs,
        figure: longest.difference,
        figureUnit: 'ms more',
        budget: null,
      }),
    ];
  } finally {
    await peer.close();
    await host.close();
  }
}
