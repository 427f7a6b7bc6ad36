import { VdpaError } from '../../errors.js';
import type { DeviceConfig } from '../../index.js';
import type { Command } from '../command.js';
import { showDocument } from '../documents/show-document.js';
import { type Answer, findMatches, functionOf } from '../show-result.js';
import { showLines } from '../view/show-view.js';

const what = 'one vDPA device name, device id, PCI address or management device';

export const command: Command = {
  name: 'show',
  summary: 'everything about one device, PCI function or management device',
  usage: 'show NAME|PCI-ADDRESS|DEVICE-ID',
  description: [
    'Shows one vDPA device (vdpa0, or its id pci/0000:65:00.2) with its configuration, one PCI',
    'function (0000:65:00.0, or 65:00.0), or one management device. What a name means twice is shown',
    'twice.',
  ].join('\n'),
  options: {},
  positionals: { min: 1, max: 1, what },

  async run({ host, print, terminal, signal, positionals }) {
    const [query = ''] = positionals;
    const reader = await host();
    const inventory = await reader.inventory({ signal });
    const matches = findMatches(query, inventory);
    const configs = new Map<string, Answer<DeviceConfig>>();
    for (const { name } of matches.devices) {
      configs.set(name, await answer(reader.deviceConfig(name, { signal })));
    }
    const overrides = new Map<string, Answer<string | null>>();
    for (const { address } of matches.functions.map(functionOf)) {
      overrides.set(address, await answer(reader.driverOverride(address, { signal })));
    }
    const result = { query, configs, overrides, ...matches };
    print({
      document: () => showDocument(result),
      lines: () => showLines(result, inventory, terminal),
    });
    return 0;
  },
};

/** What does not tell one thing is shown all the same. */
async function answer<T>(asked: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await asked, error: null };
  } catch (error) {
    if (error instanceof VdpaError) return { value: null, error };
    throw error;
  }
}
