import { isVdpaName } from '../../host/device-id.js';
import type { Command } from '../command.js';
import { statsDocument } from '../documents/stats-document.js';
import { UsageError } from '../usage-error.js';
import { statsLines } from '../view/stats-view.js';

export const command: Command = {
  name: 'stats',
  summary: "the driver's counters of each virtqueue of a device",
  usage: 'stats NAME',
  description: [
    "Shows what a network device's driver counts, by its own names: one line per virtqueue. Needs",
    'CAP_NET_ADMIN and Linux 5.19, and counts nothing before a guest has negotiated its features.',
  ].join('\n'),
  options: {},
  positionals: { min: 1, max: 1, what: 'a vDPA device name' },

  async run({ host, print, terminal, signal, positionals }) {
    const [name = ''] = positionals;
    if (!isVdpaName(name)) throw new UsageError(`'${name}' is no name of a vDPA device`, 'stats');
    const queues = await (await host()).queueStats(name, { signal });
    print({
      document: () => statsDocument(name, queues),
      lines: () => statsLines(queues, terminal),
    });
    return 0;
  },
};
