import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { abortable } from '../../abortable.js';
import { VdpaError } from '../../errors.js';
import type { ProvisionDeclaration, ProvisionedNode, ProvisionReport } from '../../index.js';
import type { Command, HostChanger } from '../command.js';
import { provisionDocument } from '../documents/provision-document.js';
import { UsageError } from '../usage-error.js';
import { provisionLines } from '../view/provision-view.js';
import { wholeNumber } from '../whole-number.js';

export const command: Command = {
  name: 'provision',
  summary: 'VFs, devices, drivers and node owners as a file declares them',
  usage: 'provision FILE',
  description: [
    'Makes the host as FILE declares it in JSON (- for standard input; docs/provisioning.md): VFs, vDPA',
    'devices, their drivers, and the owners of their nodes. Does only what is missing, and may be',
    'repeated; a device in use is left as it is. Exit status 0 when all is as declared; 1 when something',
    'is not, or with --check, when something is to do; 2 when FILE is wrong. With --tries what failed',
    'for want of a PF or a driver that is still coming is tried again, 10 seconds later.',
  ].join('\n'),
  options: {
    check: { type: 'boolean', help: 'change nothing, and print what would be done' },
    tries: { type: 'string', value: 'N', help: 'how often to try in all (1 to 100, default 1)' },
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
    const { tries: told } = values;
    const tries =
      typeof told === 'string'
        ? wholeNumber('tries', told, { least: 1, most: 100 }, 'provision')
        : 1;
    const declaration = declarationOf(file);
    const changer = await host();
    const provision = (options: { check: boolean }): Promise<ProvisionReport> =>
      provisioned(changer, declaration, { ...options, signal }, file);
    const attempt = async (): Promise<ProvisionReport> => {
      try {
        return await provision({ check: check === true });
      } catch (error) {
        // What could be done has nodes too.
        const incomplete = error instanceof VdpaError && error.code === 'PROVISION_INCOMPLETE';
        if (incomplete && typeof table === 'string') {
          const { nodes } = await provision({ check: true }).catch(() => Promise.reject(error));
          writeTable(table, nodes);
        }
        throw error;
      }
    };
    const report = await repeated(attempt, tries, signal);
    if (typeof table === 'string') writeTable(table, report.nodes);
    print({
      document: () => provisionDocument(report),
      lines: () => provisionLines(report, terminal),
    });
    return report.check && report.steps.length + report.obstacles.length > 0 ? 1 : 0;
  },
};

/** As long as the driver of a NIC may take until it has its PFs. */
const betweenTriesMs = 10_000;

/** Tries again after each failure that need not be for good. */
async function repeated<T>(
  attempt: () => Promise<T>,
  tries: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let left = tries - 1; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0 || !(error instanceof VdpaError) || error.retry === 'never') throw error;
    }
    let timer: NodeJS.Timeout | undefined;
    try {
      await abortable(
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, betweenTriesMs);
        }),
        signal,
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

const standardInput = 0;

/** Unchecked; the library says what is wrong with it. */
function declarationOf(file: string): ProvisionDeclaration {
  try {
    return JSON.parse(readFileSync(file === '-' ? standardInput : file, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const what = error instanceof SyntaxError ? `${file} is no JSON` : `cannot read ${file}`;
    throw new UsageError(`${what}: ${why}`, 'provision');
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
    // Of one that was killed, and had this number.
    rmSync(temporary, { force: true });
    writeFileSync(temporary, lines.join(''), { mode: 0o644, flag: 'wx' });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--nodes ${file}: ${why}`, 'provision');
  }
}
