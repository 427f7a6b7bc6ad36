import type { HostChanger, HostReader } from '../../../../src/cli/command.js';
import { VdpaError } from '../../../../src/errors.js';
import { deviceHealth } from '../../../../src/host/device-health.js';
import type {
  Capture,
  DeviceConfig,
  DeviceHealth,
  DeviceId,
  Finding,
  HostEvent,
  Inventory,
  PciAddress,
  ProvisionReport,
  VdpaName,
  VendorStats,
} from '../../../../src/index.js';
import { pf, unbound, vf, vfDevice } from './inventory.js';
import { sampleHost } from './sample-host.js';

export interface FakeHost extends HostReader, HostChanger {
  closed: boolean;
  /** The changes asked for, with their arguments. */
  readonly changes: unknown[][];
}

/** A host that answers what the test says, and remembers whether it was closed. */
export function fakeHost(
  parts: {
    inventory?: Inventory;
    findings?: readonly Finding[];
    config?: (name: string) => DeviceConfig;
    health?: readonly DeviceHealth[];
    stats?: (name: string) => readonly VendorStats[];
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
    health = inventory.devices.map((device) =>
      deviceHealth(device, device.class === 'net' ? 'up' : null),
    ),
    stats = sampleStats,
    override = () => null,
    capture = {},
    events = sampleEvents,
  } = parts;
  return {
    closed: false,
    inventory: async () => inventory,
    preflight: async () => findings,
    deviceConfig: async (name) => config(name),
    health: async () => health,
    queueStats: async (name) => stats(name),
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
    changes: [],
    async createDevice(request, options) {
      this.changes.push(['createDevice', request, options]);
      const { managementDevice, name = managementDevice.replace(/^pci\//, '') } = request;
      return {
        id: managementDevice as DeviceId,
        name: name as VdpaName,
        charDevice: sampleNode,
      };
    },
    async deleteDevice(name, options) {
      this.changes.push(['deleteDevice', name, options]);
      const { driver } = inventory.devices.find((device) => device.name === name) ?? {};
      if (name === heldDevice) {
        throw new VdpaError(
          'DEVICE_BUSY',
          `${name}: its char device is open, by qemu-system-x86 (pid 4711): detach it from its guest, or end that process`,
          { errno: 'EBUSY', retry: 'later', step: 'open /dev/vhost-vdpa-1' },
        );
      }
      if (driver === 'virtio_vdpa' && options?.force !== true) {
        throw new VdpaError(
          'DEVICE_IN_HOST_USE',
          `${name}: the host itself uses it, by the driver virtio_vdpa: only force takes it away`,
        );
      }
    },
    async setMac(name, mac, options) {
      this.changes.push(['setMac', name, mac, options]);
    },
    async bindDriver(name, driver, options) {
      this.changes.push(['bindDriver', name, driver, options]);
      const charDevice = driver === 'vhost_vdpa' ? sampleNode : null;
      return { name: name as VdpaName, driver, charDevice };
    },
    async enableVfs(pf, count, options) {
      this.changes.push(['enableVfs', pf, count, options]);
      return inventory.vfs.filter(({ pfAddress }) => pfAddress === pf).slice(0, count);
    },
    async provision(declaration, options) {
      this.changes.push(['provision', declaration, options]);
      return { ...sampleReport, check: options?.check ?? false };
    },
    async close() {
      this.closed = true;
    },
  };
}

function sampleStats(name: string): readonly VendorStats[] {
  return [0, 1].map((queueIndex) => ({
    name: name as VdpaName,
    queueIndex,
    negotiatedFeatures: 0x300000020n,
    counters: [
      { name: 'received_desc', value: 4_294_967_296n + BigInt(queueIndex) },
      { name: 'completed_desc', value: 4_294_967_290n },
    ],
  }));
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
/** Of the sample host: a guest has it. */
const heldDevice = 'vdpa1';
const sampleNode = { path: '/dev/vhost-vdpa-6', major: 511, minor: 6, nodeExists: true };

const [first, second] = ['0000:65:00.0', '0000:b3:00.0'] as PciAddress[];
const sampleReport: ProvisionReport = {
  check: false,
  steps: [
    {
      action: 'bind',
      pf: first as PciAddress,
      vf: 2,
      device: 'vdpa2',
      text: 'bind vdpa2: driver none, not vhost_vdpa',
    },
    {
      action: 'set-vfs',
      pf: second as PciAddress,
      vf: null,
      device: null,
      text: '16 VFs, not 0',
    },
    {
      action: 'create',
      pf: second as PciAddress,
      vf: 0,
      device: null,
      text: 'create a device, mac 02:00:00:00:01:00, mtu 9000',
    },
  ],
  obstacles: [],
  nodes: [
    { pciAddress: '0000:65:00.4' as PciAddress, uid: null, gid: 104, mode: 0o660 },
    { pciAddress: '0000:b3:00.2' as PciAddress, uid: 64055, gid: null, mode: null },
  ],
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
