import { isPciAddress } from '../../host/pci-address.js';
import type { Command } from '../command.js';
import { vfsDocument } from '../documents/change-documents.js';
import { UsageError } from '../usage-error.js';
import { counted } from '../view/words.js';

export const command: Command = {
  name: 'vfs',
  summary: 'the number of VFs of a PF',
  usage: 'vfs PF COUNT',
  description: [
    'Gives a PF this many VFs. VFs go all together, so another number than 0 is changed only with',
    '--replace; and none goes while the vDPA device of any of them is in use. NICs may take minutes to',
    'make their VFs: see --timeout.',
  ].join('\n'),
  options: {
    replace: {
      type: 'boolean',
      help: 'take the VFs away that there are, when their number differs',
    },
    force: {
      type: 'boolean',
      help: 'also when the host itself uses a device (virtio_vdpa), or vfio-pci has a VF',
    },
  },
  positionals: { min: 2, max: 2, what: 'a PCI address and a number' },

  async run({ host, print, signal, positionals, values }) {
    const [text = '', number = ''] = positionals;
    const pf = /^[0-9a-f]{2}:/i.test(text) ? `0000:${text}`.toLowerCase() : text.toLowerCase();
    if (!isPciAddress(pf)) throw new UsageError(`'${text}' is no PCI address`, 'vfs');
    if (!/^\d{1,5}$/.test(number) || Number(number) > 0xffff) {
      throw new UsageError(`'${number}' is no number of VFs from 0 to 65535`, 'vfs');
    }
    const options = {
      signal,
      replace: values['replace'] === true,
      force: values['force'] === true,
    };
    const vfs = await (await host()).enableVfs(pf, Number(number), options);
    print({
      document: () =>
        vfsDocument(
          pf,
          vfs.map(({ address }) => address),
        ),
      lines: () => [`${pf} has ${counted(vfs.length, 'VF')}`],
    });
    return 0;
  },
};
