import { DeviceSpec } from '../../src/policy/device-spec.js';
import type { DeviceSpecEntry } from '../../src/policy/device-spec-entry.js';
import { DeviceSpecError, type DeviceSpecProblem } from '../../src/policy/device-spec-error.js';
import type { PciFacts } from '../../src/policy/pci-facts.js';
import { differences, type RecordedCase } from './cases.js';
import {
  type RecordedDevice,
  type RecordedSysfs,
  recordedFacts,
  reportedDevice,
} from './recorded-host.js';

interface Input {
  readonly specs: readonly unknown[];
  readonly devices: readonly RecordedDevice[];
  readonly sysfs?: RecordedSysfs;
  readonly config?: { readonly report_in_placement?: boolean };
}

/** What nova calls them. */
const errors: Readonly<Record<DeviceSpecProblem, string>> = {
  entry: 'PciConfigInvalidSpec',
  value: 'PciConfigInvalidSpec',
  address: 'PciDeviceWrongAddressFormat',
  'address-and-devname': 'PciDeviceInvalidDeviceName',
  'remote-device-absent': 'PciDeviceRemoteManagedNotPresent',
  'remote-pf': 'PciDeviceInvalidPFRemoteManaged',
};

export function decideDeviceSpec({ case: given, expected }: RecordedCase): readonly string[] {
  const input = given as unknown as Input;
  const pci = recordedFacts(input.sysfs);
  const parse = (specs: readonly unknown[]): DeviceSpec | string =>
    parsed(specs, input.config?.report_in_placement ?? false, pci);

  const whole = parse(input.specs);
  const each = input.specs.map((spec) => parse([spec]));
  const usable = parse(input.specs.filter((_, index) => typeof each[index] !== 'string'));
  const actual = {
    whitelist: typeof whole === 'string' ? whole : 'ok',
    specs: each.map((spec) =>
      typeof spec === 'string'
        ? { ok: false, error: spec }
        : { ok: true, parsed: spec.entries.map((entry) => asRecorded(entry, pci)) },
    ),
    devices: input.devices.map((row) => decisions(usable, row)),
  };
  return differences(actual, comparable(expected));
}

function parsed(
  specs: readonly unknown[],
  reportInPlacement: boolean,
  pci: PciFacts,
): DeviceSpec | string {
  try {
    return DeviceSpec.parse(specs, { reportInPlacement, pci });
  } catch (error) {
    if (error instanceof DeviceSpecError) return errors[error.problem];
    throw error;
  }
}

function decisions(spec: DeviceSpec | string, row: RecordedDevice): object {
  const device = reportedDevice(row);
  if (device === null || typeof spec === 'string') return { match: null, all: [] };
  const entry = spec.match(device);
  return {
    match: entry?.index,
    all: spec.matches(device).map(({ index }) => index),
    enhanced: entry === null || Object.keys(entry.enhanced).length === 0 ? null : entry.enhanced,
    pool: spec.poolKeys(device),
  };
}

/** Recordings write out what an interface's name stood for at the time; here it is looked up. */
function asRecorded(entry: DeviceSpecEntry, pci: PciFacts): object {
  const { vendorId, productId, devname, address, remoteManaged, tags } = entry;
  return {
    vendor_id: vendorId,
    product_id: productId,
    devname,
    address: devname === null ? address && addressAsRecorded(address, pci) : named(devname, pci),
    remote_managed: remoteManaged,
    tags,
  };
}

function addressAsRecorded(
  { kind, single, domain, bus, slot, function: func }: NonNullable<DeviceSpecEntry['address']>,
  pci: PciFacts,
): object {
  const isPf = single !== null && pci.physicalFunction(single) !== null;
  return { kind, domain, bus, slot, func, is_pf: isPf };
}

function named(devname: string, pci: PciFacts): object | null {
  const address = pci.functionOfNetdev(devname);
  if (address === null) return null;
  const isPf = pci.physicalFunction(address) !== null;
  const [domain, bus, slot, func] = address.split(/[:.]/);
  return { kind: isPf ? 'physical' : 'glob', domain, bus, slot, func, is_pf: isPf };
}

/** Our tags are text: an object is its JSON. An empty `devname` is none. */
function comparable(recorded: unknown): unknown {
  return JSON.parse(JSON.stringify(recorded), (key, value) => {
    if (key === 'devname' && value === '') return null;
    if (key !== 'tags' && key !== 'pool') return value;
    const asText = (tag: unknown) => (isObject(tag) ? JSON.stringify(tag) : tag);
    return Object.fromEntries(Object.entries(value).map(([name, tag]) => [name, asText(tag)]));
  });
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
