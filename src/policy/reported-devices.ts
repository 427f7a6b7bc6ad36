import type { SerialNumbers } from '../host/card-serials.js';
import { type DeviceId, pciDeviceId } from '../host/device-id.js';
import type { Inventory } from '../host/inventory.js';
import type { PciAddress } from '../host/pci-address.js';
import type { PciFunction, PhysicalFunction, VirtualFunction } from '../host/pci-function.js';
import type { UnusableReason } from '../host/usability.js';
import type { VdpaDevice } from '../host/vdpa-device.js';
import type { ParentKind, SoftwareParentKind } from '../host/vdpa-parent.js';
import { eachInTurns, indexed, mapInTurns, type Pausing } from '../turns.js';
import type { Capabilities } from './capabilities.js';
import type { DeviceType, ReportedDevice } from './reported-device.js';

export interface ReportOptions {
  /**
   * Whether simulators and other vDPA devices of software are reported, and can be claimed: for
   * tests and labs. Their `extra` has `software: "true"`. Default false: they are left out.
   */
  readonly allowSoftwareDevices?: boolean | undefined;
  /** Serial numbers of the cards, which entries with `remote_managed` ask for. Default: none. */
  readonly serials?: SerialNumbers | undefined;
}

const noSerials: SerialNumbers = new Map();

const softwareKinds: ReadonlySet<ParentKind> = new Set<SoftwareParentKind>([
  'simulator',
  'vduse',
  'other',
]);

/** What vDPA devices without a PCI function of their own have for an id. */
const noId = '0000';

/**
 * What the tracker is told of a host, one device for each of its PCI functions, scalable functions
 * that carry vDPA, and devices of software:
 *
 * - a VF with a vDPA device, of whatever class and driver, is of type `vdpa`; with reasons if a
 *   guest could not have it
 * - a PF, or another function, keeps its type although a vDPA device stands on it
 * - a scalable function is a `vdpa` device that nobody can have
 */
export function* reportedDevices(
  inventory: Inventory,
  { allowSoftwareDevices = false, serials = noSerials }: ReportOptions = {},
): Pausing<ReportedDevice[]> {
  const { pfs, vfs, others, devices } = inventory;
  const pfIndex = yield* indexed(pfs, ({ address }) => address);
  const onVfs = yield* devicesById(devices, 'vf');
  const report: ReportedDevice[] = pfs.map((pf) => reportedPf(pf, serials));
  yield* eachInTurns(vfs, (vf) => {
    const id = pciDeviceId(vf.address);
    report.push(reportedVf(id, vf, pfIndex.get(vf.pfAddress), onVfs.get(id) ?? [], serials));
  });
  yield* eachInTurns(others, (other) => {
    report.push(reportedFunction(other, 'type-PCI', cardOf(serials.get(other.address))));
  });
  for (const [id, list] of yield* devicesById(devices, 'sf')) {
    report.push(reportedScalableFunction(id, list, pfIndex));
  }
  if (allowSoftwareDevices) {
    const ofSoftware = devices.filter(({ parent }) => softwareKinds.has(parent.kind));
    report.push(...(yield* mapInTurns(ofSoftware, reportedSoftware)));
  }
  return report;
}

function* devicesById(
  devices: readonly VdpaDevice[],
  kind: 'vf' | 'sf',
): Pausing<Map<DeviceId, VdpaDevice[]>> {
  const index = new Map<DeviceId, VdpaDevice[]>();
  yield* eachInTurns(devices, (device) => {
    if (device.parent.kind !== kind) return;
    const list = index.get(device.id);
    if (list === undefined) index.set(device.id, [device]);
    else list.push(device);
  });
  return index;
}

type Extra = ReportedDevice['extra'];

function reportedFunction(pci: PciFunction, type: DeviceType, extra: Extra): ReportedDevice {
  return {
    id: pciDeviceId(pci.address),
    type,
    address: pci.address,
    vendorId: pci.vendorId,
    productId: pci.deviceId,
    numaNode: pci.numaNode,
    parentAddress: null,
    extra,
    vdpa: null,
    reasons: [],
  };
}

/** What is said of the card that a function is on. */
function cardOf(serial: string | undefined): Extra {
  return serial === undefined ? {} : written({ vpd: { card_serial_number: serial } });
}

function written(capabilities: Capabilities): Extra {
  return { capabilities: JSON.stringify(capabilities) };
}

function reportedPf(pf: PhysicalFunction, serials: SerialNumbers): ReportedDevice {
  const mac = pf.netdevs[0]?.mac;
  return reportedFunction(
    pf,
    // As the kernel has it, a PF without room for VFs is none.
    pf.totalVfs > 0 ? 'type-PF' : 'type-PCI',
    {
      ...cardOf(serials.get(pf.address)),
      ...(mac !== null && mac !== undefined && { mac_address: mac }),
    },
  );
}

function reportedVf(
  id: DeviceId,
  vf: VirtualFunction,
  pf: PhysicalFunction | undefined,
  devices: readonly VdpaDevice[],
  serials: SerialNumbers,
): ReportedDevice {
  const [first] = devices;
  const uplink = pf?.netdevs[0];
  const own = serials.get(vf.address);
  // As nova has it: a plain VF is on its PF's card, a vDPA device says what it says itself.
  const card =
    first === undefined
      ? plainVf(vf, uplink?.mac ?? null, own ?? serials.get(vf.pfAddress))
      : cardOf(own);
  return {
    id,
    type: first === undefined ? 'type-VF' : 'vdpa',
    address: vf.address,
    vendorId: vf.vendorId,
    productId: vf.deviceId,
    numaNode: vf.numaNode,
    parentAddress: vf.pfAddress,
    extra: {
      // As nova has it: the PF's interface is only named when the VF has one itself.
      ...(vf.netdevs.length > 0 && uplink !== undefined && { parent_ifname: uplink.name }),
      ...card,
    },
    vdpa: first === undefined ? null : vdpaSide(first),
    reasons: reasonsOf(devices),
  };
}

function plainVf(
  { vfIndex }: VirtualFunction,
  pfMac: string | null,
  serial: string | undefined,
): Extra {
  const sriov = {
    ...(pfMac !== null && { pf_mac_address: pfMac }),
    ...(vfIndex !== null && { vf_num: vfIndex }),
  };
  const capabilities: Capabilities = {
    ...(Object.keys(sriov).length > 0 && { sriov }),
    ...(serial !== undefined && { vpd: { card_serial_number: serial } }),
  };
  return Object.keys(capabilities).length > 0 ? written(capabilities) : {};
}

function vdpaSide({ name, charDevice }: VdpaDevice): ReportedDevice['vdpa'] {
  return { name, charDevice: charDevice?.path ?? null };
}

/** Of several devices on one parent: what stands against any of them. */
function reasonsOf(devices: readonly VdpaDevice[]): UnusableReason[] {
  return devices.length < 2
    ? [...(devices[0]?.reasons ?? [])]
    : [...new Set(devices.flatMap(({ reasons }) => reasons))];
}

function reportedScalableFunction(
  id: DeviceId,
  devices: readonly VdpaDevice[],
  pfIndex: ReadonlyMap<PciAddress, PhysicalFunction>,
): ReportedDevice {
  const [first] = devices;
  const pfAddress = first?.parent.pfAddress ?? null;
  const pf = pfAddress === null ? undefined : pfIndex.get(pfAddress);
  return {
    id,
    type: 'vdpa',
    address: null,
    vendorId: pf?.vendorId ?? first?.vendorId ?? noId,
    productId: noId,
    numaNode: first?.parent.numaNode ?? pf?.numaNode ?? null,
    parentAddress: pfAddress,
    extra: {},
    vdpa: first === undefined ? null : vdpaSide(first),
    reasons: reasonsOf(devices),
  };
}

function reportedSoftware(device: VdpaDevice): ReportedDevice {
  return {
    id: device.id,
    type: 'vdpa',
    address: null,
    vendorId: device.vendorId ?? noId,
    productId: noId,
    numaNode: null,
    parentAddress: null,
    extra: { software: 'true' },
    vdpa: vdpaSide(device),
    reasons: device.reasons.filter((reason) => reason !== 'software-parent'),
  };
}
