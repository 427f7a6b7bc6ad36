import type {
  DeviceConfig,
  Inventory,
  ManagementDevice,
  VdpaDevice,
  VdpaError,
} from '../../index.js';
import { hexOf } from '../documents/document.js';
import { type Answer, type FunctionBranch, functionOf, type ShowResult } from '../show-result.js';
import { reasonTexts, stateCell, stateMark, stateStyle, stateWords } from './device-state.js';
import { layOut, tableLines } from './rows.js';
import { type Cell, cell, type Terminal } from './terminal.js';
import { portChildLines } from './tree-view.js';
import { counted, parentWords } from './words.js';

/** Every match, one section each. */
export function showLines(result: ShowResult, inventory: Inventory, terminal: Terminal): string[] {
  const sections = [
    ...result.devices.map((device) => [
      ...title(`vDPA device ${device.name}`, terminal),
      ...fields(
        [...deviceFields(device, terminal), ...configFields(result.configs.get(device.name))],
        terminal,
      ),
    ]),
    ...result.functions.map((branch) => functionLines(branch, result, inventory, terminal)),
    ...result.managementDevices.map((device) => [
      ...title(`management device ${device.handle}`, terminal),
      ...fields(managementFields(device, inventory), terminal),
    ]),
  ];
  return sections.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]));
}

/** A label and its value; null means that there is nothing to say. */
type Field = readonly [label: string, value: Cell | string | number | null];

function title(text: string, terminal: Terminal): string[] {
  return layOut([cell(text, 'strong')], [], terminal);
}

function fields(pairs: readonly Field[], terminal: Terminal): string[] {
  return tableLines(
    pairs.map(([label, value]) => [
      cell(`  ${label}`, 'faint'),
      typeof value === 'object' ? (value ?? cell('-', 'faint')) : cell(`${value}`),
    ]),
    terminal,
  );
}

function deviceFields(device: VdpaDevice, terminal: Terminal): Field[] {
  const { charDevice, maxVqSize, minVqSize } = device;
  return [
    ['device id', device.id],
    ['state', stateCell(device, terminal)],
    ...device.reasons.map((reason): Field => {
      const { words, cure } = reasonTexts[reason];
      return ['', device.reasons.length === 1 ? cure : `${words}: ${cure}`];
    }),
    ['class', device.class],
    ['parent', parentWords(device)],
    ['NUMA node', device.parent.numaNode],
    ['driver', device.driver],
    [
      'char device',
      charDevice === null
        ? null
        : `${charDevice.path} (${charDevice.major}:${charDevice.minor}${charDevice.nodeExists ? '' : ', no node'})`,
    ],
    ['management device', device.managementDevice],
    ['vendor id', device.vendorId],
    ['virtqueues', device.maxVqs],
    [
      'virtqueue size',
      maxVqSize === null ? null : `${minVqSize === null ? '' : `${minVqSize} to `}${maxVqSize}`,
    ],
  ];
}

/** In the place of the configuration: itself, or why it is not there. */
function configFields(answer: Answer<DeviceConfig> | undefined): Field[] {
  if (answer === undefined) return [];
  return answer.error === null
    ? presentFields(answer.value)
    : [['configuration', unavailable(answer.error)]];
}

function unavailable({ message, code }: VdpaError): Cell {
  return cell(`not available: ${message} [${code}]`, 'caution');
}

function overrideField(answer: Answer<string | null> | undefined): Field {
  return ['driver_override', answer?.error ? unavailable(answer.error) : (answer?.value ?? null)];
}

function presentFields({ net, block, ...config }: DeviceConfig): Field[] {
  const yesNo = (value: boolean | null): string | null =>
    value === null ? null : value ? 'yes' : 'no';
  return [
    ...(net === null
      ? []
      : ([
          ['MAC', net.mac],
          ['MTU', net.mtu],
          ['queue pairs', net.maxVqPairs ?? 1],
          ['link', net.link],
          ['announce', yesNo(net.announce)],
        ] satisfies Field[])),
    ...(block === null
      ? []
      : ([
          [
            'capacity',
            block.capacitySectors === null ? null : `${block.capacitySectors} sectors of 512 bytes`,
          ],
          ['block size', block.blockSize],
          ['queues', block.numQueues],
          ['read only', yesNo(block.readOnly)],
          ['flush', yesNo(block.flush)],
        ] satisfies Field[])),
    ['features', features(config.features, config.featureNames)],
    ['negotiated', features(config.negotiatedFeatures, config.negotiatedFeatureNames)],
  ];
}

function features(mask: bigint | null, names: readonly string[]): string | null {
  return mask === null ? null : `${hexOf(mask)} ${names.join(' ')}`.trimEnd();
}

function functionLines(
  branch: FunctionBranch,
  { overrides }: ShowResult,
  inventory: Inventory,
  terminal: Terminal,
): string[] {
  const fn = functionOf(branch);
  const interfaces = fn.netdevs.map(({ name, mac }) => (mac === null ? name : `${name} (${mac})`));
  const what =
    branch.type === 'pf'
      ? 'physical function'
      : branch.type === 'vf'
        ? 'virtual function'
        : 'PCI function';
  const devices = branch.devices.map(
    (device): Field => [
      'vDPA device',
      cell(
        `${stateMark(device, terminal)} ${device.name}: ${stateWords(device)}`,
        stateStyle(device),
      ),
    ],
  );
  return [
    ...title(`${what} ${fn.address}`, terminal),
    ...fields(
      [
        ...placeFields(branch),
        ['ids', `${fn.vendorId}:${fn.deviceId}`],
        ['subsystem', `${fn.subsystemVendorId}:${fn.subsystemDeviceId}`],
        ['PCI class', fn.pciClass],
        ['revision', fn.revision],
        ['driver', fn.driver],
        overrideField(overrides.get(fn.address)),
        ['NUMA node', fn.numaNode],
        ['IOMMU group', fn.iommuGroup],
        ['interfaces', interfaces.length === 0 ? null : interfaces.join(', ')],
        ...(branch.type === 'pf' ? [] : devices.length === 0 ? [noDevice] : devices),
      ],
      terminal,
    ),
    ...(branch.type === 'vf' ? [] : portChildLines(branch, inventory, terminal)),
  ];
}

const noDevice: Field = ['vDPA device', null];

function placeFields(branch: FunctionBranch): Field[] {
  if (branch.type === 'pf') {
    return [['VFs', `${branch.pf.numVfs} of ${branch.pf.totalVfs}`]];
  }
  if (branch.type !== 'vf') return [];
  const { vfIndex, pfAddress, representor } = branch.vf;
  return [
    ['VF', `${vfIndex ?? '?'} of ${pfAddress}`],
    ['representor', representor?.name ?? null],
  ];
}

function managementFields(device: ManagementDevice, { devices }: Inventory): Field[] {
  const made = devices.filter(({ managementDevice }) => managementDevice === device.handle);
  return [
    ['bus', device.bus],
    ['classes', device.classes.join(' ')],
    ['most virtqueues', device.maxVqs],
    ['features', features(device.features, device.featureNames)],
    [counted(made.length, 'device'), made.length === 0 ? null : made.map((d) => d.name).join(' ')],
  ];
}
