import { mostQueuePairs } from '../../guest/guest-interface.js';
import { mtuRange } from '../../host/net-limits.js';
import { configOption, textOf } from '../claim-options.js';
import type { Command } from '../command.js';
import { attachDocument } from '../documents/guest-documents.js';
import { callOptions, guestOf, plugOptions, scopeOf } from '../plug-options.js';
import { UsageError } from '../usage-error.js';
import { attachLines } from '../view/guests-view.js';
import { wholeNumber } from '../whole-number.js';

export const command: Command = {
  name: 'attach',
  summary: 'give a running guest the vDPA devices that were claimed for it',
  usage: 'attach --guest GUEST ...',
  description: [
    'Plugs all vDPA devices of an instance, or those of one claim, into a guest: all or none. A guest is',
    'qmp:PATH, the QMP monitor of its QEMU, or libvirt:DOMAIN, by name or UUID. Asks the agent when one',
    'runs; otherwise it opens the store itself. It may be repeated: what the guest has already is let be.',
    'When it fails, all that was begun is undone, the claims stay, and the error says what is left.',
  ].join('\n'),
  options: {
    ...configOption,
    ...plugOptions,
    guest: { type: 'string', value: 'GUEST', help: 'qmp:PATH or libvirt:DOMAIN' },
    'queue-pairs': {
      type: 'string',
      value: 'N',
      help: `data queue pairs of each interface (1 to ${mostQueuePairs}, default 1)`,
    },
    mtu: {
      type: 'string',
      value: 'BYTES',
      help: `what the guest is told (${mtuRange.least} to ${mtuRange.most}, default: nothing)`,
    },
  },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run(context) {
    const { guests, print, terminal, values } = context;
    const devicesOf = scopeOf(values, 'attach');
    const guest = guestOf(values, 'attach');
    if (guest === null) throw new UsageError('attach wants --guest', 'attach');
    const pairs = textOf(values, 'queue-pairs', 'attach');
    const mtu = textOf(values, 'mtu', 'attach');
    const call = {
      devicesOf,
      guest,
      ...(pairs !== null && {
        queuePairs: wholeNumber('queue-pairs', pairs, { least: 1, most: mostQueuePairs }, 'attach'),
      }),
      ...(mtu !== null && { mtu: wholeNumber('mtu', mtu, mtuRange, 'attach', ' of bytes') }),
      ...callOptions(context, 'attach'),
    };
    const attached = await (await guests()).attach(call);
    print({
      document: () => attachDocument(guest, attached),
      lines: () => attachLines(guest, attached, terminal),
    });
    return 0;
  },
};
