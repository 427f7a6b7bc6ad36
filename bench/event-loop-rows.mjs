// @ts-check
import { setTimeout as sleep } from 'node:timers/promises';
import { DelayWindow } from './delay-window.mjs';
import { VdpaHost } from './library.mjs';
import { atMost, row } from './row.mjs';
import { alternate, compare, median } from './statistics.mjs';

const windowMs = 3000;

/**
 * How long the process's other work waits while inventories follow one another without a pause,
 * against an idle process. Outside the lab, which has one processor and a clock tick of 10 ms: whoever
 * computes there delays everybody. The host is the lab's, as captured there.
 *
 * @param {string} capture
 * @param {number} devices that are in it
 */
export async function eventLoopRows(capture, devices) {
  const host = await VdpaHost.open({ root: capture });
  try {
    const busy = new DelayWindow(async (end) => {
      while (performance.now() < end) await host.inventory();
    }, windowMs);
    const idle = new DelayWindow(() => sleep(windowMs), windowMs);
    for (let i = 0; i < 20; i++) {
      const { devices: all } = await host.inventory();
      if (all.length !== devices) throw new Error(`${all.length} devices in ${capture}`);
    }
    const p99 = compare(
      await alternate(
        9,
        () => busy.p99(),
        () => idle.p99(),
        1,
      ),
    );
    const longest = { ours: median(busy.longest), theirs: median(idle.longest) };
    return [
      row({
        name: 'event-loop delay p99, inventories / idle',
        devices,
        unit: 'ms',
        ours: p99.ours,
        theirs: p99.theirs,
        figure: p99.difference,
        figureUnit: 'ms more',
        budget: atMost(5),
      }),
      row({
        name: `event-loop delay, longest in ${windowMs / 1000} s, inventories / idle`,
        devices,
        unit: 'ms',
        ...longest,
        figure: longest.ours - longest.theirs,
        figureUnit: 'ms more',
        budget: null,
      }),
    ];
  } finally {
    await host.close();
  }
}
