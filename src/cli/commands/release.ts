import { configOption, instanceOrClaim } from '../claim-options.js';
import type { Command } from '../command.js';
import { releaseDocument } from '../documents/claim-documents.js';
import { releaseLines } from '../view/claims-view.js';

export const command: Command = {
  name: 'release',
  summary: 'give the devices of an instance or claim back',
  usage: 'release --instance ID',
  description: [
    'Gives back all devices of an instance, or those of one claim. Asks the agent when one runs;',
    'otherwise it opens the store itself. What nobody has is no error: it may be repeated. What is in a',
    'guest must be detached first.',
  ].join('\n'),
  options: {
    ...configOption,
    instance: { type: 'string', value: 'ID', help: 'all claims of this instance' },
    claim: { type: 'string', value: 'ID', help: 'this claim' },
    force: { type: 'boolean', help: 'also what a guest may still have: only when it has ended' },
  },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ desk, print, terminal, values }) {
    const selection = instanceOrClaim(values, 'release');
    const force = values['force'] === true;
    const released = await (await desk()).release({ ...selection, force });
    print({
      document: () => releaseDocument(released),
      lines: () => releaseLines(released, terminal),
    });
    return 0;
  },
};
