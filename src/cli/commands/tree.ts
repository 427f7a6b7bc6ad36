import type { Command } from '../command.js';
import { treeDocument } from '../documents/tree-document.js';
import { treeLines } from '../view/tree-view.js';

export const command: Command = {
  name: 'tree',
  summary: 'the host from NUMA node to char device, and what is free or wrong',
  usage: 'tree',
  description: [
    'Draws what stands on what: NUMA node, PF, VF with its representor, vDPA device, char device;',
    'then simulators and userspace devices. Long runs of VFs without a vDPA device are one line.',
  ].join('\n'),
  options: {},
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ host, print, terminal, signal, hostOptions }) {
    const inventory = await (await host()).inventory({ signal });
    print({
      document: () => treeDocument(inventory),
      lines: () => treeLines(inventory, terminal, hostOptions.root),
    });
    return 0;
  },
};
