import { configOption, instancesOf, livingOptions } from '../claim-options.js';
import type { Command } from '../command.js';
import { auditDocument } from '../documents/claim-documents.js';
import { auditLines } from '../view/audit-view.js';

export const command: Command = {
  name: 'audit',
  summary: 'what does not fit together: records, claims, devices, users',
  usage: 'audit',
  description: [
    'Looks for claims and operations of nobody (when it is told who lives), claimed devices that have',
    'vanished or changed, contradictions between records and claims or PF and VF, and devices that a',
    'process uses although nobody has claimed them. Changes nothing. Exit status 1 when something was',
    'found.',
  ].join('\n'),
  options: { ...configOption, ...livingOptions },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ claims, print, terminal, values }) {
    const instances = instancesOf(values, 'audit');
    const findings = await (await claims()).audit(instances === null ? null : { instances });
    print({
      document: () => auditDocument('audit', findings),
      lines: () => auditLines(findings, terminal),
    });
    return findings.length === 0 ? 0 : 1;
  },
};
