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

/** What a port of a PF's switch represents. */
export interface RepresentedPort {
  /** Null when the driver does not name the PF: old drivers write only the VF's number. */
  readonly pfNumber: number | null;
  /** Null for a scalable function, or a VF of another controller (a SmartNIC's view of its host). */
  readonly vfIndex: number | null;
}

/**
 * What the interface represents; null for an interface of its own, such as the uplink `p0`. Outside
 * of a switch (`physSwitchId` null) nothing is represented, whatever a port is called.
 */
export function representedPort({ physSwitchId, physPortName }: Netdev): RepresentedPort | null {
  if (physSwitchId === null || physPortName === null) return null;
  const [, controller, pf, kind, index] = /^(c\d+)?pf(\d+)(vf|sf)(\d+)$/.exec(physPortName) ?? [];
  if (pf !== undefined) {
    const ownVf = controller === undefined && kind === 'vf';
    return { pfNumber: Number(pf), vfIndex: ownVf ? Number(index) : null };
  }
  return /^\d+$/.test(physPortName) ? { pfNumber: null, vfIndex: Number(physPortName) } : null;
}
