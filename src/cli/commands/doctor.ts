import type { Command } from '../command.js';
import { doctorDocument } from '../documents/doctor-document.js';
import { doctorLines } from '../view/doctor-view.js';

export const command: Command = {
  name: 'doctor',
  summary: 'what this machine lacks for vDPA, and the cure',
  usage: 'doctor',
  description: [
    'Checks kernel, modules, drivers, IOMMU, PFs and VFs, nodes, what this process may do, and the',
    'versions of QEMU and libvirt. Every finding that is not as it should be comes with its cure.',
    'Exit status 1 when there is an error; warnings alone leave it 0.',
  ].join('\n'),
  options: {},
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ host, print, terminal, signal }) {
    const findings = await (await host()).preflight({ signal });
    print({
      document: () => doctorDocument(findings),
      lines: () => doctorLines(findings, terminal),
    });
    return findings.some(({ severity }) => severity === 'error') ? 1 : 0;
  },
};
