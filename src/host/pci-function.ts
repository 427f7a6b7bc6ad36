import type { NetdevRow, PciFunctionRow } from '../rows.js';
import { eachInTurns, type Pausing } from '../turns.js';
import { type Netdev, netdev, representedPort } from './netdev.js';
import { type PciAddress, pciFunctionNumber } from './pci-address.js';

/** What every PCI function of the inventory tells of itself. Ids are lower-case hexadecimal. */
export interface PciFunction {
  readonly address: PciAddress;
  readonly vendorId: string;
  readonly deviceId: string;
  readonly subsystemVendorId: string;
  readonly subsystemDeviceId: string;
  /** Class, subclass and programming interface: `020000` is an Ethernet controller. */
  readonly pciClass: string;
  readonly revision: number | null;
  /** Bound driver, null when unbound. */
  readonly driver: string | null;
  /** Null when the machine does not say (the kernel's -1). */
  readonly numaNode: number | null;
  readonly iommuGroup: number | null;
  /** The function's own interfaces; those of a PF without the representors of its VFs. */
  readonly netdevs: readonly Netdev[];
}

export interface PhysicalFunction extends PciFunction {
  readonly totalVfs: number;
  readonly numVfs: number;
}

export interface VirtualFunction extends PciFunction {
  readonly pfAddress: PciAddress;
  /** N of the PF's `virtfnN` and of the representor's `pf0vfN`. */
  readonly vfIndex: number | null;
  /** The interface that stands for this VF in the PF's switch; null outside switchdev mode. */
  readonly representor: Netdev | null;
}

/** The host's PCI functions that matter here, each list in address order. */
export interface PciFunctions {
  readonly pfs: readonly PhysicalFunction[];
  readonly vfs: readonly VirtualFunction[];
  /** Functions that carry vDPA without being PF or VF here, such as a VF passed through to this machine. */
  readonly others: readonly PciFunction[];
}

/** Sorts the functions into PFs, VFs and others, each with its interfaces. */
export function* pciFunctions(
  rows: readonly PciFunctionRow[],
  netdevRows: readonly NetdevRow[],
): Pausing<PciFunctions> {
  const interfaces = new Map<string, Netdev[]>();
  yield* eachInTurns(netdevRows, (row) => {
    const list = interfaces.get(row.pciAddress);
    if (list === undefined) interfaces.set(row.pciAddress, [netdev(row)]);
    else list.push(netdev(row));
  });
  const ports = new Map<string, Ports>();
  for (const row of rows) {
    if (row.totalVfs === null) continue;
    ports.set(row.address, sortPorts(row, interfaces.get(row.address)));
    yield; // each may have hundreds
  }

  const pfs: PhysicalFunction[] = [];
  const vfs: VirtualFunction[] = [];
  const others: PciFunction[] = [];
  const idsOf = idReader();
  yield* eachInTurns(rows, (row) => {
    const own = ports.get(row.address)?.own ?? interfaces.get(row.address) ?? [];
    const common = pciFunction(row, idsOf(row), own);
    if (row.totalVfs !== null) {
      pfs.push(Object.assign(common, { totalVfs: row.totalVfs, numVfs: row.numVfs ?? 0 }));
    } else if (row.pfAddress !== '') {
      vfs.push(
        Object.assign(common, {
          pfAddress: row.pfAddress as PciAddress,
          vfIndex: row.vfIndex,
          representor: ports.get(row.pfAddress)?.representors.get(row.vfIndex ?? -1) ?? null,
        }),
      );
    } else {
      others.push(common);
    }
  });
  return { pfs, vfs, others };
}

interface Ports {
  readonly own: Netdev[];
  /** By VF index. */
  readonly representors: Map<number, Netdev>;
}

/**
 * Drivers hang the representors of a PF's VFs on the PF itself. A port that names another PF's
 * number belongs to that PF (one switch for both ports of a card) and is nobody's here.
 */
function sortPorts(pf: PciFunctionRow, interfaces: readonly Netdev[] = []): Ports {
  const pfNumber = pciFunctionNumber(pf.address as PciAddress);
  const own: Netdev[] = [];
  const representors = new Map<number, Netdev>();
  for (const candidate of interfaces) {
    const port = representedPort(candidate);
    if (port === null) own.push(candidate);
    else if (port.vfIndex !== null && (port.pfNumber ?? pfNumber) === pfNumber) {
      representors.set(port.vfIndex, candidate);
    }
  }
  return { own, representors };
}

type Ids = Pick<
  PciFunction,
  'vendorId' | 'deviceId' | 'subsystemVendorId' | 'subsystemDeviceId' | 'pciClass'
>;

function pciFunction(row: PciFunctionRow, ids: Ids, netdevs: readonly Netdev[]): PciFunction {
  return {
    address: row.address as PciAddress,
    vendorId: ids.vendorId,
    deviceId: ids.deviceId,
    subsystemVendorId: ids.subsystemVendorId,
    subsystemDeviceId: ids.subsystemDeviceId,
    pciClass: ids.pciClass,
    revision: row.revision,
    driver: row.driver === '' ? null : row.driver,
    numaNode: row.numaNode,
    iommuGroup: row.iommuGroup,
    netdevs,
  };
}

/** Spells ids. The VFs of a PF follow one another and share theirs, which are spelled once. */
function idReader(): (row: PciFunctionRow) => Ids {
  let before: PciFunctionRow | undefined;
  let ids: Ids;
  return (row) => {
    if (
      row.vendorId !== before?.vendorId ||
      row.deviceId !== before.deviceId ||
      row.subsystemVendorId !== before.subsystemVendorId ||
      row.subsystemDeviceId !== before.subsystemDeviceId ||
      row.pciClass !== before.pciClass
    ) {
      ids = {
        vendorId: hex(row.vendorId, 4),
        deviceId: hex(row.deviceId, 4),
        subsystemVendorId: hex(row.subsystemVendorId, 4),
        subsystemDeviceId: hex(row.subsystemDeviceId, 4),
        pciClass: hex(row.pciClass, 6),
      };
    }
    before = row;
    return ids;
  };
}

function hex(id: number, digits: number): string {
  return id.toString(16).padStart(digits, '0');
}
