import type { NetdevRow } from '../rows.js';

/** A network interface of a PCI function. */
export interface Netdev {
  readonly name: string;
  readonly ifindex: number;
  /** Lower case, colons; null for interfaces without a six-byte address. */
  readonly mac: string | null;
  /** Switch the port belongs to (switchdev); null outside of one. */
  readonly physSwitchId: string | null;
  /** `p0`, `pf0vf3`; null when the driver names none. */
  readonly physPortName: string | null;
}

export function netdev(row: NetdevRow): Netdev {
  return {
    name: row.name,
    ifindex: row.ifindex,
    mac: row.mac,
    physSwitchId: row.physSwitchId === '' ? null : row.physSwitchId,
    physPortName: row.physPortName === '' ? null : row.physPortName,
  };
}

/**
 * Which VF of which PF a port represents, or null for any other port. A port of another controller
 * (`c1pf0vf3`, a SmartNIC's view of its host) represents no VF of this machine. Old drivers write
 * only the VF's number.
 */
export function representedVf(
  physPortName: string,
): { readonly pfNumber: number | null; readonly vfIndex: number } | null {
  const full = /^pf(\d+)vf(\d+)$/.exec(physPortName);
  if (full) return { pfNumber: Number(full[1]), vfIndex: Number(full[2]) };
  return /^\d+$/.test(physPortName) ? { pfNumber: null, vfIndex: Number(physPortName) } : null;
}
