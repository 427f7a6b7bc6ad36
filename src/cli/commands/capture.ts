import type { Command } from '../command.js';
import { captureDocument } from '../documents/capture-document.js';
import { captureLines } from '../view/capture-view.js';

export const command: Command = {
  name: 'capture',
  summary: 'write down all of that in one file, for --root',
  usage: 'capture FILE.tar.gz',
  description: [
    'Reads everything that list, tree, show and doctor read, and writes it to one file, readable by',
    'its owner only. Every command reads that file with --root, on any machine. It has no secrets, but',
    "MAC addresses and the names of interfaces and devices: see the package's docs/captures.md.",
  ].join('\n'),
  options: {
    force: { type: 'boolean', short: 'f', help: 'replace the file when it is there already' },
  },
  positionals: { min: 1, max: 1, what: 'the name of one new file' },

  async run({ host, print, terminal, signal, positionals, values }) {
    const [file = ''] = positionals;
    const capture = await (await host()).capture(file, { force: values['force'] === true, signal });
    print({
      document: () => captureDocument(capture),
      lines: () => captureLines(capture, terminal),
    });
    return 0;
  },
};
