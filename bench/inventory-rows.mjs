// @ts-check
import { VdpaHost } from './library.mjs';
import { atLeast, row } from './row.mjs';
import { assertSameFacts } from './same-facts.mjs';
import { scriptInventory } from './script-inventory.mjs';
import { alternate, compare } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */

/**
 * The full inventory against a script that gathers the same.
 *
 * @param {Plan} plan
 */
export async function inventoryRows({ devices, rounds, judged }) {
  const host = await VdpaHost.open();
  try {
    assertSameFacts(await host.inventory(), scriptInventory());
    const ours = async () => {
      const started = performance.now();
      await host.inventory();
      return performance.now() - started;
    };
    const theirs = () => {
      const started = performance.now();
      scriptInventory();
      return performance.now() - started;
    };
    const both = compare(await alternate(rounds, ours, theirs));
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
    await host.close();
  }
}
