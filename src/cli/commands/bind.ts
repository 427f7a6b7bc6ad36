import { isVdpaName } from '../../host/device-id.js';
import type { Command } from '../command.js';
import { bindDocument } from '../documents/change-documents.js';
import { UsageError } from '../usage-error.js';

const drivers = ['vhost_vdpa', 'virtio_vdpa', 'none'];

export const command: Command = {
  name: 'bind',
  summary: 'a vDPA device to vhost_vdpa, virtio_vdpa or none',
  usage: 'bind NAME DRIVER',
  description: [
    'Binds a vDPA device to vhost_vdpa (for guests; prints its char device), to virtio_vdpa (for the host',
    'itself), or to none, after taking it from the driver it has. Refused like a delete while it is in',
    'use there.',
  ].join('\n'),
  options: {
    force: {
      type: 'boolean',
      help: 'also take it from virtio_vdpa, where the host itself uses it; never when it is open',
    },
  },
  positionals: { min: 2, max: 2, what: 'a vDPA device name and a driver' },

  async run({ host, print, signal, positionals, values }) {
    const [name = '', driver = ''] = positionals;
    if (!isVdpaName(name)) throw new UsageError(`'${name}' is no name of a vDPA device`, 'bind');
    if (!drivers.includes(driver)) {
      throw new UsageError(`the driver is one of ${drivers.join(', ')}, not '${driver}'`, 'bind');
    }
    const wanted = driver === 'none' ? null : driver;
    const options = { signal, force: values['force'] === true };
    const bound = await (await host()).bindDriver(name, wanted, options);
    print({
      document: () => bindDocument(bound),
      lines: () => [
        bound.charDevice?.path ??
          (bound.driver === null
            ? `${name} is bound to no driver`
            : `${name} is bound to ${bound.driver}`),
      ],
    });
    return 0;
  },
};
