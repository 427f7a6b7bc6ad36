import type { HostReader } from '../../../../src/cli/command.js';
import { VdpaError } from '../../../../src/errors.js';
import type { Capture, DeviceConfig, Finding, Inventory, VdpaName } from '../../../../src/index.js';
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
  } = {},
): FakeHost {
  const {
    inventory = sampleHost(),
    findings = sampleFindings,
    config = netConfig,
    override = () => null,
    capture = {},
  } = parts;
  return {
    closed: false,
    inventory: async () => inventory,
    preflight: async () => findings,
    deviceConfig: async (name) => config(name),
    driverOverride: async (address) => override(address),
    capture: async (file) => ({ ...sampleCapture, file: `/root/${file}`, ...capture }),
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
