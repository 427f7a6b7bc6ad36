import type { Command } from '../command.js';
import { listDocument } from '../documents/list-document.js';
import { listLines } from '../view/list-view.js';

export const command: Command = {
  name: 'list',
  summary: 'the vDPA devices, one a line',
  usage: 'list',
  description: [
    'Lists the vDPA devices of the host: class, what each stands on, driver, char device, NUMA node,',
    'and whether it can be given to a guest as it stands, or why not.',
  ].join('\n'),
  options: {},
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ host, print, terminal, signal }) {
    const inventory = await (await host()).inventory({ signal });
    print({
      document: () => listDocument(inventory),
      lines: () => listLines(inventory, terminal),
    });
    return 0;
  },
};
