import type { DeviceHealth, Inventory, SoftwareParentKind, VdpaDevice } from '../../index.js';
import {
  type HostTree,
  hostTree,
  type NumaBranch,
  type OtherBranch,
  type PfBranch,
  type SoftwareBranch,
  type VfBranch,
} from '../host-tree.js';
import { canMake, type VfRun, vfRuns } from '../vf-runs.js';
import { type Branch, drawBranches } from './branches.js';
import { stateMark, stateStyle, stateWords } from './device-state.js';
import { emptyHostLines, inconsistentLine } from './empty-host.js';
import { linkCell, linksLine } from './health-words.js';
import { layOut } from './rows.js';
import { type Cell, cell, paint, type Style, type Terminal } from './terminal.js';
import { counted, driverWords, netdevNames, summaryLine } from './words.js';

/**
 * The host as a drawn tree, with a summary below.
 *
 * @param health null when it was not asked for
 */
export function treeLines(
  inventory: Inventory,
  terminal: Terminal,
  root = '/',
  health: readonly DeviceHealth[] | null = null,
): string[] {
  const { devices, consistent } = inventory;
  const draw = new TreeDrawing(inventory, terminal, health ?? []);
  const sentence = (text: string, style: Style = 'plain'): string[] =>
    layOut([cell(text, style)], [], terminal);
  return [
    ...sentence(root === '/' ? 'host' : `host below ${root}`, 'strong'),
    ...drawBranches(draw.host(hostTree(inventory)), terminal),
    '',
    ...(devices.length === 0
      ? emptyHostLines(inventory).flatMap((line) => sentence(line))
      : sentence(summaryLine(devices) + linksLine(health ?? []), 'strong')),
    ...(consistent ? [] : ['', paint(inconsistentLine, 'caution', terminal)]),
  ];
}

/** What hangs below one port: all of it below a PF, the scalable functions below any other. */
export function portChildLines(
  port: PfBranch | OtherBranch,
  inventory: Inventory,
  terminal: Terminal,
): string[] {
  const draw = new TreeDrawing(inventory, terminal);
  const branches = port.type === 'pf' ? draw.pfChildren(port) : draw.scalableFunctions(port);
  return drawBranches(branches, terminal, '  ');
}

const softwareNames: Readonly<Record<SoftwareParentKind, string>> = {
  simulator: 'simulator',
  vduse: 'userspace devices',
  other: 'software',
};

/** Turns the arranged host into branches of text. */
class TreeDrawing {
  readonly #terminal: Terminal;
  readonly #managed: ReadonlySet<string>;
  /** By name. */
  readonly #health: ReadonlyMap<string, DeviceHealth>;

  constructor(
    { managementDevices }: Inventory,
    terminal: Terminal,
    health: readonly DeviceHealth[] = [],
  ) {
    this.#terminal = terminal;
    this.#health = new Map(health.map((one) => [one.name, one]));
    this.#managed = new Set(managementDevices.map(({ handle }) => handle));
  }

  host({ numaNodes, software, unplaced }: HostTree): Branch[] {
    const branches = numaNodes.map((node) => this.#numa(node));
    if (software.length > 0) {
      branches.push({
        cells: [cell('software parents', 'strong')],
        children: software.map((branch) => this.#software(branch)),
      });
    }
    if (unplaced.length > 0) {
      branches.push({
        cells: [cell('on parents that are not there (any longer)', 'strong')],
        children: this.#devices(unplaced),
      });
    }
    return branches;
  }

  pfChildren(pf: PfBranch): Branch[] {
    return [
      ...this.#devices(pf.devices),
      ...vfRuns(pf.vfs, this.#managed).map((item) =>
        item.type === 'run' ? this.#run(item) : this.#vf(item),
      ),
      ...this.scalableFunctions(pf),
    ];
  }

  scalableFunctions({ scalableFunctions }: PfBranch | OtherBranch): Branch[] {
    return scalableFunctions.map(({ sfNumber, devices }) =>
      this.#holder([cell(`sf ${sfNumber ?? '?'}`), cell(''), cell('')], devices, 'no vDPA device'),
    );
  }

  #numa({ numaNode, pfs, others }: NumaBranch): Branch {
    return {
      cells: [cell(numaNode === null ? 'NUMA node unknown' : `NUMA node ${numaNode}`, 'strong')],
      children: [
        ...pfs.map((branch) => this.#pf(branch)),
        ...others.map((branch) =>
          branch.type === 'vf' ? this.#vf(branch, true) : this.#other(branch),
        ),
      ],
    };
  }

  #pf(branch: PfBranch): Branch {
    const { pf } = branch;
    return {
      cells: [
        cell(`pf ${pf.address}`, 'strong'),
        cell(netdevNames(pf.netdevs)),
        cell(pf.driver ?? 'no driver', pf.driver === null ? 'caution' : 'plain'),
        cell(`${pf.vendorId}:${pf.deviceId}`, 'faint'),
        cell(`${pf.numVfs} of ${counted(pf.totalVfs, 'VF')}`),
      ],
      children: this.pfChildren(branch),
    };
  }

  #vf({ vf, devices }: VfBranch, withoutPf = false): Branch {
    const more = canMake(vf, this.#managed) ? ', can make one' : '';
    return this.#holder(
      [
        cell(`vf ${vf.vfIndex ?? '?'}${withoutPf ? ` of ${vf.pfAddress}` : ''}`),
        cell(vf.address),
        cell(vf.representor?.name ?? ''),
      ],
      devices,
      `no vDPA device, ${driverWords(vf)}${more}`,
    );
  }

  #run({ first, last, count, driver, canMake }: VfRun): Branch {
    const more = canMake ? ', each can make one' : '';
    const text = `vf ${first}-${last}: ${count} VFs without a vDPA device, ${driverWords({ driver })}${more}`;
    return { cells: [cell(text, 'faint')], children: [] };
  }

  #other(branch: OtherBranch): Branch {
    const { address, netdevs, driver } = branch.function;
    const functions = branch.scalableFunctions.length;
    const { cells, children } = this.#holder(
      [cell(`function ${address}`), cell(netdevNames(netdevs)), cell(driver ?? 'no driver')],
      branch.devices,
      functions === 0 ? 'no vDPA device' : counted(functions, 'scalable function'),
    );
    return { cells, children: [...children, ...this.scalableFunctions(branch)] };
  }

  #software({ kind, managementDevice, devices }: SoftwareBranch): Branch {
    const name =
      managementDevice === null || managementDevice === kind
        ? softwareNames[kind]
        : `${managementDevice} (${softwareNames[kind]})`;
    return devices.length === 0
      ? { cells: [cell(name), cell('no vDPA device, can make one', 'faint')], children: [] }
      : { cells: [cell(name)], children: this.#devices(devices) };
  }

  /** One device stands on its holder's own line; several stand below it. */
  #holder(cells: readonly Cell[], devices: readonly VdpaDevice[], none: string): Branch {
    const [only, ...others] = devices;
    if (only === undefined) return { cells: [...cells, cell(none, 'faint')], children: [] };
    if (others.length === 0) return { cells: [...cells, ...this.#device(only)], children: [] };
    return {
      cells: [...cells, cell(counted(devices.length, 'vDPA device'))],
      children: this.#devices(devices),
    };
  }

  #devices(devices: readonly VdpaDevice[]): Branch[] {
    return devices.map((device) => ({ cells: this.#device(device), children: [] }));
  }

  #device(device: VdpaDevice): Cell[] {
    const style = stateStyle(device);
    const kind = device.class === null || device.class === 'net' ? '' : ` (${device.class})`;
    return [
      cell(`${stateMark(device, this.#terminal)} ${device.name}${kind}`, style),
      cell(device.charDevice?.path ?? ''),
      linkCell(this.#health.get(device.name)),
      cell(stateWords(device), style),
    ];
  }
}
