import { configOption } from '../claim-options.js';
import type { Command } from '../command.js';
import { guestsDocument } from '../documents/guest-documents.js';
import { guestsLines } from '../view/guests-view.js';

export const command: Command = {
  name: 'guests',
  summary: 'the guests of this host, and the vDPA devices in them',
  usage: 'guests',
  description: [
    'Lists the guests that the configuration tells of (`guests`) and those that claims name, each with',
    'the interfaces that it has of ours, as its hypervisor shows them. Exit status 1 when one of them',
    'cannot be asked.',
  ].join('\n'),
  options: configOption,
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ guests, print, terminal, signal }) {
    const listings = await (await guests()).guests({ signal });
    print({
      document: () => guestsDocument(listings),
      lines: () => guestsLines(listings, terminal),
    });
    return listings.every(({ error }) => error === null) ? 0 : 1;
  },
};
