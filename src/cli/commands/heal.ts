import { configOption, instancesOf, livingOptions } from '../claim-options.js';
import type { Command } from '../command.js';
import { auditDocument } from '../documents/claim-documents.js';
import { UsageError } from '../usage-error.js';
import { healLines } from '../view/audit-view.js';

export const command: Command = {
  name: 'heal',
  summary: 'set right what an audit finds and can be set right',
  usage: 'heal',
  description: [
    'Gives back claims of nobody and ends operations of nobody (when it is told who lives), and makes',
    'records and claims agree again. Shows what it would do and asks first; with --yes it does not ask.',
    'Asks the agent when one runs; otherwise it opens the store itself.',
  ].join('\n'),
  options: {
    ...configOption,
    ...livingOptions,
    yes: { type: 'boolean', help: 'do not ask' },
  },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ desk, print, terminal, values, confirm, json }) {
    const instances = instancesOf(values, 'heal');
    const living = instances === null ? null : { instances };
    const open = await desk();
    const found = (await open.audit(living)).filter(({ healable }) => healable);
    if (found.length > 0 && values['yes'] !== true) {
      if (json || confirm === null) {
        throw new UsageError('heal asks first: without a terminal it wants --yes', 'heal');
      }
      const question = [...healLines(found, terminal), 'Set this right? [y/N] '].join('\n');
      if (!(await confirm(question))) return 1;
    }
    const healed = found.length === 0 ? [] : await open.heal(living);
    print({
      document: () => auditDocument('heal', healed),
      lines: () => [healed.length === 0 ? 'nothing to set right' : `set right: ${healed.length}`],
    });
    return 0;
  },
};
