// @ts-check
import { execFileSync } from 'node:child_process';
import { BareDump } from './bare-dump.mjs';
import { openNativeHost } from './internals.mjs';
import { atLeast, atMost, row } from './row.mjs';
import { alternate, compare } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */

/** `vdpa -j` as a script runs it, its answer made into objects. @param {string} what */
function vdpaObjects(what) {
  return JSON.parse(
    execFileSync('vdpa', ['-j', what, 'show'], { encoding: 'utf8', maxBuffer: 64 << 20 }),
  );
}

/**
 * The netlink part alone: the `vdpa` family's two lists as JavaScript objects. The public API has no
 * call for that, so this goes through the library's internal dist/native.js.
 *
 * @param {Plan} plan
 */
export async function netlinkRows({ devices, rounds, judged, programs }) {
  const host = openNativeHost('/');
  const bare = new BareDump(`${programs}/netlink_dump`);
  try {
    const ours = async () => {
      const started = performance.now();
      const lists = await Promise.all([host.managementDevices(60_000), host.vdpaDevices(60_000)]);
      const took = performance.now() - started;
      if (lists[1].length !== devices) throw new Error(`${lists[1].length} devices`);
      return took;
    };
    const theirs = async () => {
      const { milliseconds, messages } = await bare.round();
      if (messages < 2 * devices) throw new Error(`only ${messages} messages`);
      return milliseconds;
    };
    const tool = () => {
      const started = performance.now();
      vdpaObjects('mgmtdev');
      vdpaObjects('dev');
      return performance.now() - started;
    };
    const againstC = compare(await alternate(4 * rounds, ours, theirs, 5));
    const againstTool = compare(await alternate(rounds, ours, tool));
    const version = () => {
      const started = performance.now();
      execFileSync('vdpa', ['-V']);
      execFileSync('vdpa', ['-V']);
      return performance.now() - started;
    };
    const starts = compare(await alternate(rounds, ours, version));
    return [
      row({
        name: 'netlink part / bare C dump',
        devices,
        unit: 'ms',
        ours: againstC.ours,
        theirs: againstC.theirs,
        figure: againstC.ratio,
        figureUnit: 'x',
        budget: judged ? atMost(3) : null,
      }),
      row({
        name: 'netlink part / vdpa -j, 2 processes',
        devices,
        unit: 'ms',
        ours: againstTool.ours,
        theirs: againstTool.theirs,
        figure: againstTool.speedup,
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
    await bare.close();
    await host.close();
  }
}
