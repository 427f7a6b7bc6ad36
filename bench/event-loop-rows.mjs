// @ts-check
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaHost } from './library.mjs';
import { atMost, row } from './row.mjs';
import { alternate, compare, median } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */

const windowMs = 2500;

/**
 * The event loop's delay while something goes on.
 *
 * @param {() => Promise<unknown>} work which lasts about `windowMs`
 */
async function delays(work) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await work();
  histogram.disable();
  return { p99: histogram.percentile(99) / 1e6, max: histogram.max / 1e6 };
}

/**
 * How long the process's other work waits while inventories follow one another without a pause.
 *
 * @param {Plan} plan
 */
export async function eventLoopRows({ devices, judged }) {
  const host = await VdpaHost.open();
  try {
    for (let i = 0; i < 5; i++) await host.inventory();
    /** @type {number[]} */
    const busyMax = [];
    /** @type {number[]} */
    const idleMax = [];
    const busy = async () => {
      const { p99, max } = await delays(async () => {
        const end = performance.now() + windowMs;
        while (performance.now() < end) await host.inventory();
      });
      busyMax.push(max);
      return p99;
    };
    const idle = async () => {
      const { p99, max } = await delays(() => sleep(windowMs));
      idleMax.push(max);
      return p99;
    };
    const p99 = compare(await alternate(5, busy, idle, 1));
    const [longest, idleLongest] = [median(busyMax), median(idleMax)];
    return [
      row({
        name: 'event-loop delay p99 during inventories / idle',
        devices,
        unit: 'ms',
        ours: p99.ours,
        theirs: p99.theirs,
        figure: p99.difference,
        figureUnit: 'ms more',
        budget: judged ? atMost(5) : null,
      }),
      row({
        name: 'event-loop delay, longest in 2.5 s / idle',
        devices,
        unit: 'ms',
        ours: longest,
        theirs: idleLongest,
        figure: longest - idleLongest,
        figureUnit: 'ms more',
        budget: null,
      }),
    ];
  } finally {
    await host.close();
  }
}
