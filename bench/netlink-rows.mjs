// @ts-check
import { join } from 'node:path';
import { openNativeHost } from './internals.mjs';
import { Peer } from './peer.mjs';
import { atLeast, atMost, row } from './row.mjs';
import { alternate, compare } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */

const programs = join(import.meta.dirname, 'programs');

/**
 * The netlink part alone: the `vdpa` family's two lists as JavaScript objects. The public API has no
 * call for that, so this goes through the library's internal dist/native.js.
 *
 * @param {Plan} plan
 */
export async function netlinkRows({ devices, rounds, judged, programs: compiled }) {
  const host = openNativeHost('/');
  const ours = async () => {
    const started = performance.now();
    const { vdpaDevices } = await host.familyLists(60_000);
    const took = performance.now() - started;
    if (vdpaDevices.length !== devices) throw new Error(`${vdpaDevices.length} devices`);
    return took;
  };
  /** @param {string} command @param {readonly string[]} args @param {number} atLeastThings @param {number} warmUps */
  const against = async (command, args, atLeastThings, warmUps) => {
    const peer = new Peer(command, args);
    try {
      const theirs = async () => {
        const { milliseconds, count } = await peer.round();
        if (count < atLeastThings) throw new Error(`${command} got only ${count} things`);
        return milliseconds;
      };
      return compare(await alternate(5 * rounds, ours, theirs, warmUps));
    } finally {
      await peer.close();
    }
  };
  try {
    // The many warm-ups of the first one: V8 adds to its heap, page by page, for about that long.
    const bare = await against(join(compiled, 'netlink_dump'), [], 2 * devices, 150);
    const tool = await against(process.execPath, [join(programs, 'vdpa-show.mjs')], 2 * devices, 3);
    const starts = await against(process.execPath, [join(programs, 'vdpa-start.mjs')], 2, 3);
    return [
      row({
        name: 'netlink part / bare C dump',
        devices,
        unit: 'ms',
        ours: bare.ours,
        theirs: bare.theirs,
        figure: bare.ratio,
        figureUnit: 'x',
        budget: judged ? atMost(3) : null,
      }),
      row({
        name: 'netlink part / vdpa -j, 2 processes',
        devices,
        unit: 'ms',
        ours: tool.ours,
        theirs: tool.theirs,
        figure: tool.speedup,
        figureUnit: 'x faster',
        budget: judged ? atLeast(10) : null,
      }),
      row({
        name: 'netlink part / only starting vdpa twice',
        devices,
        unit: 'ms',
        ours: starts.ours,
        theirs: starts.theirs,
        figure: starts.speedup,
        figureUnit: 'x faster',
        budget: null,
      }),
    ];
  } finally {
    await host.close();
  }
}
