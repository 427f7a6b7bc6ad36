import { isVdpaName } from '../../host/device-id.js';
import type { Command } from '../command.js';
import { deleteDocument } from '../documents/change-documents.js';
import { UsageError } from '../usage-error.js';

export const command: Command = {
  name: 'delete',
  summary: 'a vDPA device that nobody uses',
  usage: 'delete NAME',
  description: [
    "Deletes a vDPA device. While its char device is open it is refused at once, with the holder's name",
    'where that can be seen; the kernel is never made to wait.',
  ].join('\n'),
  options: {
    force: {
      type: 'boolean',
      help: 'also when the host itself uses it (virtio_vdpa); never when it is open',
    },
  },
  positionals: { min: 1, max: 1, what: 'one vDPA device name' },

  async run({ host, print, signal, positionals, values }) {
    const [name = ''] = positionals;
    if (!isVdpaName(name)) throw new UsageError(`'${name}' is no name of a vDPA device`, 'delete');
    await (await host()).deleteDevice(name, { signal, force: values['force'] === true });
    print({ document: () => deleteDocument(name), lines: () => [`deleted ${name}`] });
    return 0;
  },
};
