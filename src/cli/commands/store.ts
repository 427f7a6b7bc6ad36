import type { Command } from '../command.js';
import { storeCheckDocument } from '../documents/store-check-document.js';
import { UsageError } from '../usage-error.js';
import { storeCheckLines } from '../view/store-check-view.js';

export const command: Command = {
  name: 'store',
  summary: 'whether a store of claims is sound, and who owns it',
  usage: 'store check FILE',
  description: [
    'Reads all of the store in FILE, beside its owner or without one, and changes nothing: whether the',
    'file is whole, whether records and claims agree, and which process owns it. Every fault comes with',
    "its cure; the package's docs/store.md has more. Exit status 1 when there is one.",
  ].join('\n'),
  options: {},
  positionals: { min: 2, max: 2, what: "'check' and the store's file" },

  async run({ checkStore, print, terminal, positionals }) {
    const [verb, file = ''] = positionals;
    if (verb !== 'check') throw new UsageError(`store has no '${verb}': only 'check'`, 'store');
    const check = await checkStore(file);
    print({
      document: () => storeCheckDocument(check),
      lines: () => storeCheckLines(check, terminal),
    });
    return check.faults.length === 0 ? 0 : 1;
  },
};
