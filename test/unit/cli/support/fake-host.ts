import type { HostReader } from '../../../../src/cli/command.js';
import { VdpaError } from '../../../../src/errors.js';
import type {
  Capture,
  DeviceConfig,
  Finding,
  HostEvent,
  Inventory,
  VdpaName,
} from '../../../../src/index.js';
import { pf, unbound, vf, vfDevice } from './inventory.js';
import { sampleHost } from './sample-host.js';

export interface FakeHost extends HostReader {
  closed: boolean;
}

/** A host that answers what the test says, and remembers whether it was closed. */
export function fakeHost(
  parts: {
    inventory?: Inventory;
    findings?: readonly Finding[];
    config?: (name: string) => DeviceConfig;
    /** The driver that a function is reserved for. */
    override?: (address: string) => string | null;
    capture?: Partial<Capture>;
    /** What a watch tells before it ends; what this throws ends it, too. */
    events?: () => readonly HostEvent[];
  } = {},
): FakeHost {
  const {
    inventory = sampleHost(),
    findings = sampleFindings,
    config = netConfig,
    override = () => null,
    capture = {},
    events = sampleEvents,
  } = parts;
  return {
    closed: false,
    inventory: async () => inventory,
    preflight: async () => findings,
    deviceConfig: async (name) => config(name),
    driverOverride: async (address) => override(address),
    capture: async (file) => ({ ...sampleCapture, file: `/root/${file}`, ...capture }),
    watch: async () => ({
      inventory,
      close: async () => {},
      async *[Symbol.asyncIterator]() {
        yield* events();
        return undefined;
      },
    }),
    async close() {
      this.closed = true;
    },
  };
}

const sampleCapture: Omit<Capture, 'file'> = {
  bytes: 13_579,
  consistent: true,
  devices: 7,
  pciFunctions: 34,
  managementDevices: 35,
  unanswered: [],
  withheld: [],
};
/** A device that is made on a free VF, given to vhost_vdpa, and deleted. */
function sampleEvents(): readonly HostEvent[] {
  const place = vf(pf('0000:65:00.0'), 5);
  const before = vfDevice('vdpa9', place, unbound);
  const device = vfDevice('vdpa9', place);
  return [
    { type: 'added', device: before },
    { type: 'changed', device, before, changes: ['driver', 'charDevice', 'usable', 'reasons'] },
    { type: 'ready', device },
    { type: 'unready', device },
    { type: 'removed', device },
  ];
}

export const sampleFindings: readonly Finding[] = [
  { code: 'kernel-version', severity: 'ok', message: 'Linux 6.12.9', cure: null },
  {
    code: 'vhost-vdpa-module',
    severity: 'error',
    message: 'the driver vhost_vdpa is not there: no device can reach a guest',
    cure: 'modprobe vhost_vdpa',
  },
  {
    code: 'privilege',
    severity: 'warning',
    message: 'without CAP_NET_ADMIN: listing works; statistics, create, delete and set are refused',
    cure: 'run as root of the host',
  },
];

export function netConfig(name: string): DeviceConfig {
  return {
    name: name as VdpaName,
    class: 'net',
    features: 0x300020020n,
    featureNames: ['MAC', 'CTRL_VQ', 'VERSION_1', 'ACCESS_PLATFORM'],
    negotiatedFeatures: null,
    negotiatedFeatureNames: [],
    net: { mac: '02:00:00:00:00:01', mtu: 1500, maxVqPairs: 32, link: 'up', announce: false },
    block: null,
  };
}

export function blockConfig(name: string): DeviceConfig {
  return {
    name: name as VdpaName,
    class: 'block',
    features: 0x300000000n,
    featureNames: ['VERSION_1', 'ACCESS_PLATFORM'],
    negotiatedFeatures: 0x100000000n,
    negotiatedFeatureNames: ['VERSION_1'],
    net: null,
    block: {
      capacitySectors: 0x4000_0000_0000_0001n,
      blockSize: 512,
      sizeMax: null,
      segMax: 32,
      numQueues: 1,
      physicalBlockExp: 0,
      alignmentOffset: 0,
      minIoSize: 1,
      optIoSize: 1,
      maxDiscardSectors: null,
      maxDiscardSeg: null,
      discardSectorAlignment: null,
      maxWriteZeroesSectors: null,
      maxWriteZeroesSeg: null,
      readOnly: true,
      flush: false,
    },
  };
}

/** What a device says that is neither net nor block. */
export function refusesConfig(name: string): DeviceConfig {
  throw new VdpaError('NOT_SUPPORTED', `configuration of ${name}: not supported`, {
    errno: 'EOPNOTSUPP',
    step: 'DEV_CONFIG_GET',
    retry: 'never',
  });
}

/** What a function says whose driver holds its lock. */
export function refusesOverride(address: string): null {
  throw new VdpaError('KERNEL_TIMEOUT', `driver_override of ${address}: no answer`, {
    step: `driver_override of ${address}`,
    retry: 'later',
  });
}
