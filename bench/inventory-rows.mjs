// @ts-check
import { join } from 'node:path';
import { VdpaHost } from './library.mjs';
import { Peer } from './peer.mjs';
import { atLeast, row } from './row.mjs';
import { assertSameFacts } from './same-facts.mjs';
import { scriptInventory } from './script-inventory.mjs';
import { alternate, compare } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */

const script = join(import.meta.dirname, 'programs/script-inventory.mjs');

/**
 * The full inventory against a script that gathers the same.
 *
 * @param {Plan} plan
 */
export async function inventoryRows({ devices, rounds, judged }) {
  const host = await VdpaHost.open();
  const peer = new Peer(process.execPath, [script]);
  try {
    assertSameFacts(await host.inventory(), scriptInventory());
    const ours = async () => {
      const started = performance.now();
      await host.inventory();
      return performance.now() - started;
    };
    const both = compare(
      await alternate(rounds, ours, async () => (await peer.round()).milliseconds),
    );
    return [
      row({
        name: "full inventory / a script's way",
        devices,
        unit: 'ms',
        ours: both.ours,
        theirs: both.theirs,
        figure: both.speedup,
        figureUnit: 'x faster',
        budget: judged ? atLeast(5) : null,
      }),
    ];
  } finally {
    await peer.close();
    await host.close();
  }
}
