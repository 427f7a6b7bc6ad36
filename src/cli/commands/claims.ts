import type { InstanceId } from '../../tracker/claim.js';
import { configOption, textOf } from '../claim-options.js';
import type { Command } from '../command.js';
import { claimsDocument } from '../documents/claim-documents.js';
import { claimsLines, operationsLines } from '../view/claims-view.js';

export const command: Command = {
  name: 'claims',
  summary: 'who has which device',
  usage: 'claims',
  description: [
    'Lists the claims in the store, in the order in which they were made, with their devices, and the',
    'instances that are in the middle of an operation. Reads the store beside its owner, or without one.',
  ].join('\n'),
  options: {
    ...configOption,
    instance: { type: 'string', value: 'ID', help: 'only those of this instance' },
  },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ claims: reader, print, terminal, values }) {
    const instance = (textOf(values, 'instance', 'claims') ?? undefined) as InstanceId | undefined;
    const open = await reader();
    const [claims, records, operations] = await Promise.all([
      open.claims(instance),
      open.records(),
      open.operations(instance),
    ]);
    print({
      document: () => claimsDocument(claims, records, operations),
      lines: () => [
        ...claimsLines(claims, records, terminal),
        ...operationsLines(operations, terminal),
      ],
    });
    return 0;
  },
};
