import { isVdpaName } from '../../host/device-id.js';
import { isDeviceMac } from '../../host/mac-address.js';
import type { Command } from '../command.js';
import { setMacDocument } from '../documents/change-documents.js';
import { UsageError } from '../usage-error.js';

export const command: Command = {
  name: 'set-mac',
  summary: 'the MAC of a network device',
  usage: 'set-mac NAME MAC',
  description: [
    'Gives a vDPA network device another MAC (Linux 6.12). A guest that uses the device sees it when its',
    'driver reads the configuration again.',
  ].join('\n'),
  options: {},
  positionals: { min: 2, max: 2, what: 'a vDPA device name and a MAC' },

  async run({ host, print, signal, positionals }) {
    const [name = '', mac = ''] = positionals;
    if (!isVdpaName(name)) throw new UsageError(`'${name}' is no name of a vDPA device`, 'set-mac');
    if (!isDeviceMac(mac)) {
      throw new UsageError(`'${mac}' is no unicast address such as 02:00:00:00:00:01`, 'set-mac');
    }
    await (await host()).setMac(name, mac, { signal });
    print({ document: () => setMacDocument(name, mac), lines: () => [`${name} has MAC ${mac}`] });
    return 0;
  },
};
