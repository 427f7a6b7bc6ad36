import { VdpaError } from '../../errors.js';
import type { Command, HostReader } from '../command.js';
import { showDocument } from '../documents/show-document.js';
import { type ConfigAnswer, findMatches } from '../show-result.js';
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
    const configs = new Map<string, ConfigAnswer>();
    for (const { name } of matches.devices) {
      configs.set(name, await configAnswer(reader, name, signal));
    }
    const result = { query, configs, ...matches };
    print({
      document: () => showDocument(result),
      lines: () => showLines(result, inventory, terminal),
    });
    return 0;
  },
};

/** A device that does not tell its configuration is shown all the same. */
async function configAnswer(
  reader: HostReader,
  name: string,
  signal: AbortSignal | undefined,
): Promise<ConfigAnswer> {
  try {
    return { config: await reader.deviceConfig(name, { signal }), error: null };
  } catch (error) {
    if (error instanceof VdpaError) return { config: null, error };
    throw error;
  }
}
