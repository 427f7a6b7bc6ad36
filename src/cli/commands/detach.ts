import { configOption } from '../claim-options.js';
import type { Command } from '../command.js';
import { detachDocument } from '../documents/guest-documents.js';
import { callOptions, guestOf, plugOptions, scopeOf } from '../plug-options.js';
import { detachLines } from '../view/guests-view.js';

export const command: Command = {
  name: 'detach',
  summary: 'take the vDPA devices of an instance or claim out of their guest',
  usage: 'detach --instance ID',
  description: [
    'Asks the guest to let go of the devices, waits until it has, and then gives them back. A guest that',
    'does not let go in time keeps its devices, and the claim stays: ask again. Asks the agent when one',
    'runs; otherwise it opens the store itself. Which guest it is the claim says.',
  ].join('\n'),
  options: {
    ...configOption,
    ...plugOptions,
    guest: { type: 'string', value: 'GUEST', help: 'this guest, whatever the claim says' },
    keep: { type: 'boolean', help: 'keep the claims, to attach them again' },
  },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run(context) {
    const { guests, print, terminal, values } = context;
    const guest = guestOf(values, 'detach');
    const release = values['keep'] !== true;
    const call = {
      devicesOf: scopeOf(values, 'detach'),
      ...(guest !== null && { guest }),
      release,
      ...callOptions(context, 'detach'),
    };
    const detached = await (await guests()).detach(call);
    print({
      document: () => detachDocument(detached, release),
      lines: () => detachLines(detached, release, terminal),
    });
    return 0;
  },
};
