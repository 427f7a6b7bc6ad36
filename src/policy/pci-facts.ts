import type { Inventory } from '../host/inventory.js';
import type { PciAddress } from '../host/pci-address.js';
import type { PciFunction } from '../host/pci-function.js';

/**
 * What an entry of device_spec needs to know of the host beyond the device in question. It is asked
 * with every decision, so it may follow the host.
 */
export interface PciFacts {
  /** Which PCI function a network interface belongs to; null when there is no such interface. */
  functionOfNetdev(name: string): PciAddress | null;
  /** Null when the function is not there, or can have no VFs. */
  physicalFunction(address: PciAddress): PhysicalFunctionIds | null;
}

/** Four lower-case hexadecimal digits each. */
export interface PhysicalFunctionIds {
  readonly vendorId: string;
  readonly productId: string;
  /** Of its VFs; null when it has none that would tell. */
  readonly vfProductId: string | null;
}

/** The facts of a host that has nothing. */
export const noPciFacts: PciFacts = {
  functionOfNetdev: () => null,
  physicalFunction: () => null,
};

/**
 * What an inventory says of them. Interfaces are known of the functions that an inventory has: PFs,
 * VFs, and others that carry vDPA.
 */
export function pciFactsOf(inventory: Inventory): PciFacts {
  // Most device_specs ask for neither: each index is made when it is first needed.
  let netdevs: ReadonlyMap<string, PciAddress> | undefined;
  let pfs: ReadonlyMap<PciAddress, PhysicalFunctionIds> | undefined;
  return {
    functionOfNetdev: (name) => {
      netdevs ??= netdevIndex(inventory);
      return netdevs.get(name) ?? null;
    },
    physicalFunction: (address) => {
      pfs ??= pfIndex(inventory);
      return pfs.get(address) ?? null;
    },
  };
}

function netdevIndex({ pfs, vfs, others }: Inventory): Map<string, PciAddress> {
  const index = new Map<string, PciAddress>();
  const add = (pci: PciFunction): void => {
    for (const { name } of pci.netdevs) index.set(name, pci.address);
  };
  for (const list of [pfs, vfs, others]) list.forEach(add);
  return index;
}

function pfIndex({ pfs, vfs }: Inventory): Map<PciAddress, PhysicalFunctionIds> {
  // All VFs of a PF have the same ids.
  const vfProducts = new Map(vfs.map(({ pfAddress, deviceId }) => [pfAddress, deviceId]));
  // The kernel calls a PF what it has room for VFs.
  const able = pfs.filter(({ totalVfs }) => totalVfs > 0);
  return new Map(
    able.map(({ address, vendorId, deviceId }) => [
      address,
      { vendorId, productId: deviceId, vfProductId: vfProducts.get(address) ?? null },
    ]),
  );
}
