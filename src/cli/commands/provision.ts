import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { VdpaError } from '../../errors.js';
import type { ProvisionDeclaration, ProvisionedNode, ProvisionReport } from '../../index.js';
import type { Command, HostChanger } from '../command.js';
import { provisionDocument } from '../documents/provision-document.js';
import { UsageError } from '../usage-error.js';
import { provisionLines } from '../view/provision-view.js';

export const command: Command = {
  name: 'provision',
  summary: 'VFs, devices, drivers and node owners as a file declares them',
  usage: 'provision FILE',
  description: [
    'Makes the host as FILE declares it in JSON (- for standard input; docs/provisioning.md): VFs, vDPA',
    'devices, their drivers, and the owners of their nodes. Does only what is missing, and may be',
    'repeated; a device in use is left as it is. Exit status 0 when all is as declared; 1 when something',
    'is not, or with --check, when something is to do; 2 when FILE is wrong.',
  ].join('\n'),
  options: {
    check: { type: 'boolean', help: 'change nothing, and print what would be done' },
    nodes: {
      type: 'string',
      value: 'TABLE',
      help: "also write the owners and modes of the VFs' nodes there, for the udev rule",
    },
  },
  positionals: { min: 1, max: 1, what: 'one file' },

  async run({ host, print, terminal, signal, positionals, values }) {
    const [file = ''] = positionals;
    const { check, nodes: table } = values;
    const declaration = declarationOf(file);
    const changer = await host();
    const provision = (options: { check: boolean }): Promise<ProvisionReport> =>
      provisioned(changer, declaration, { ...options, signal }, file);
    let report: ProvisionReport;
    try {
      report = await provision({ check: check === true });
    } catch (error) {
      // What could be done has nodes too.
      if (error instanceof VdpaError && error.code === 'PROVISION_INCOMPLETE') {
        if (typeof table === 'string') writeTable(table, (await provision({ check: true })).nodes);
      }
      throw error;
    }
    if (typeof table === 'string') writeTable(table, report.nodes);
    print({
      document: () => provisionDocument(report),
      lines: () => provisionLines(report, terminal),
    });
    return report.check && report.steps.length + report.obstacles.length > 0 ? 1 : 0;
  },
};

const standardInput = 0;

/** Unchecked; the library says what is wrong with it. */
function declarationOf(file: string): ProvisionDeclaration {
  try {
    return JSON.parse(readFileSync(file === '-' ? standardInput : file, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${file}: ${why}`, 'provision');
  }
}

async function provisioned(
  host: HostChanger,
  declaration: ProvisionDeclaration,
  options: { check: boolean; signal: AbortSignal | undefined },
  file: string,
): Promise<ProvisionReport> {
  try {
    return await host.provision(declaration, options);
  } catch (error) {
    if (!(error instanceof TypeError) || !error.message.startsWith('declaration: ')) throw error;
    throw new UsageError(error.message.replace('declaration', file), 'provision');
  }
}

/** A line for each VF: address, user, group, mode; `-` where any will do. Appears as a whole. */
function writeTable(file: string, nodes: readonly ProvisionedNode[]): void {
  const lines = nodes.map(({ pciAddress, uid, gid, mode }) => {
    const fields = [pciAddress, uid ?? '-', gid ?? '-', mode?.toString(8).padStart(4, '0') ?? '-'];
    return `${fields.join(' ')}\n`;
  });
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(temporary, lines.join(''), { mode: 0o644, flag: 'wx' });
    renameSync(temporary, file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--nodes ${file}: ${why}`, 'provision');
  }
}
