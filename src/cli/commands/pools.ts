import { configOption } from '../claim-options.js';
import type { Command } from '../command.js';
import { poolsDocument } from '../documents/claim-documents.js';
import { poolsLines } from '../view/pools-view.js';

export const command: Command = {
  name: 'pools',
  summary: 'which devices are to be had, by what they have in common',
  usage: 'pools',
  description: [
    'Lists the pools of devices that are to be had, in the order in which they are used, as they follow',
    "from the store's records and the configuration's deviceSpec. Reads the store beside its owner, or",
    'without one; it shows the host as its owner last saw it.',
  ].join('\n'),
  options: configOption,
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ claims, print, terminal }) {
    const pools = await (await claims()).pools();
    print({ document: () => poolsDocument(pools), lines: () => poolsLines(pools, terminal) });
    return 0;
  },
};
