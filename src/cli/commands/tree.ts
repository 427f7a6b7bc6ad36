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
    '--health also asks the link of each network device, which waits for a guest that is changing the',
    "device's state, and every vDPA command of the host with it.",
  ].join('\n'),
  options: { health: { type: 'boolean', help: 'whether each link is up' } },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ host, print, terminal, signal, hostOptions, values }) {
    const reader = await host();
    const inventory = await reader.inventory({ signal });
    const health = values['health'] === true ? await reader.health({ signal }) : null;
    print({
      document: () => treeDocument(inventory, health),
      lines: () => treeLines(inventory, terminal, hostOptions.root, health),
    });
    return 0;
  },
};
