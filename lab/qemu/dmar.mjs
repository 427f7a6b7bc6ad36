// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The firmware's table of IOMMUs. QEMU's lists the devices that it emulates itself; the software
// NIC's are none of them. This one says what real firmware says: one IOMMU for all of segment 0.

const HEADER = 48;
const UNIT = 16;
const INCLUDE_PCI_ALL = 1;
/** Where QEMU puts its IOMMU's registers. */
const REGISTERS = 0xfed90000n;

/**
 * The table in a form that the kernel takes from its RAM disk in the place of QEMU's: the same
 * names, and a higher revision.
 */
export function dmarTable() {
  const table = Buffer.alloc(HEADER + UNIT);
  table.write('DMAR', 0, 'latin1');
  table.writeUInt32LE(table.length, 4);
  table.writeUInt8(1, 8); // revision of the format
  table.write('BOCHS BXPC    ', 10, 'latin1');
  table.writeUInt32LE(2, 24); // revision of this table; QEMU's has 1
  table.write('BXPC', 28, 'latin1');
  table.writeUInt32LE(1, 32);
  table.writeUInt8(48 - 1, 36); // width of addresses

  // Type 0, an IOMMU, of segment 0.
  table.writeUInt16LE(UNIT, HEADER + 2);
  table.writeUInt8(INCLUDE_PCI_ALL, HEADER + 4);
  table.writeBigUInt64LE(REGISTERS, HEADER + 8);

  // All bytes together are to be 0.
  const sum = table.reduce((total, byte) => total + byte, 0);
  table.writeUInt8(-sum & 0xff, 9);
  return table;
}
