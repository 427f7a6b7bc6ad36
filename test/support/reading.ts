import type { VdpaHost } from '../../src/index.js';
import { VdpaError } from '../../src/index.js';

/** Everything that reading calls say of a host; a refusal is what it says in full. */
export async function readEverything(host: VdpaHost) {
  const inventory = await host.inventory();
  const configs = await all(inventory.devices, ({ name }) => host.deviceConfig(name));
  const overrides = await all(
    [...inventory.pfs, ...inventory.vfs, ...inventory.others],
    ({ address }) => host.driverOverride(address),
  );
  const resolved = await all(inventory.devices, async ({ id }) => host.resolve(id));
  const health = await host.health();
  const findings = await host.preflight();
  return { inventory, configs, overrides, resolved, health, findings };
}

async function all<T>(things: readonly T[], ask: (thing: T) => Promise<unknown>) {
  const answers: unknown[] = [];
  for (const thing of things) answers.push(await ask(thing).catch(refusal));
  return answers;
}

function refusal(error: unknown): unknown {
  if (!(error instanceof VdpaError)) throw error;
  const { code, message, errno, extack, attributeOffset, step, retry, outcome } = error;
  return { code, message, errno, extack, attributeOffset, step, retry, outcome };
}
