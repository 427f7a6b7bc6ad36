import type { Inventory } from './inventory.js';
import type { PciAddress } from './pci-address.js';
import { type Obstacle, type PlannedStep, placeOf } from './provision-plan.js';
import type { NodeOwner, VfWish, Wishes } from './provision-wishes.js';

/** One change of a host on the way to what is declared. */
export interface ProvisionStep {
  readonly action: PlannedStep['action'];
  readonly pf: PciAddress;
  /** Null: of the whole PF. */
  readonly vf: number | null;
  /** The vDPA device as it is called before the step; null when there is none. */
  readonly device: string | null;
  /** What is done and why, in words. */
  readonly text: string;
}

/** Something declared that cannot be brought about as the host stands. */
export interface ProvisionObstacle extends Obstacle {}

/** The owner and mode that a VF's node is to have whenever it appears; null where any will do. */
export interface ProvisionedNode extends NodeOwner {
  /** Of the VF. */
  readonly pciAddress: PciAddress;
}

export interface ProvisionReport {
  /** Whether nothing was changed. */
  readonly check: boolean;
  /** What has been done; with `check`, what is to be done. */
  readonly steps: readonly ProvisionStep[];
  /** What stands in the way; always empty without `check`, which fails instead. */
  readonly obstacles: readonly ProvisionObstacle[];
  /** In order of address. */
  readonly nodes: readonly ProvisionedNode[];
}

export function reportedStep(step: PlannedStep): ProvisionStep {
  if (step.action === 'set-vfs') {
    const { action, pf, from, to } = step;
    return { action, pf, vf: null, device: null, text: `${to} VFs, not ${from}` };
  }
  const { action, wish } = step;
  const { pf, vf } = wish;
  if (action === 'create') return { action, pf, vf, device: null, text: creation(wish) };
  const { name: device, differs } = step;
  return { action, pf, vf, device, text: `${verbs[action]} ${device}: ${differs.join('; ')}` };
}

const verbs = {
  recreate: 're-create',
  'set-mac': 'set the MAC of',
  bind: 'bind',
  'set-node': 'set the node of',
} as const;

function creation({ name, mac, mtu, maxVqPairs, driver }: VfWish): string {
  const words = [
    `create ${name ?? 'a device'}`,
    ...(mac === null ? [] : [`mac ${mac}`]),
    ...(mtu === null ? [] : [`mtu ${mtu}`]),
    ...(maxVqPairs === null ? [] : [`queue pairs ${maxVqPairs}`]),
    ...(driver === 'vhost_vdpa' ? [] : [`driver ${driver ?? 'none'}`]),
  ];
  return words.join(', ');
}

export function provisionedNodes({ pfs }: Wishes, { vfs }: Inventory): ProvisionedNode[] {
  const wishes = new Map(
    pfs.flatMap((pf) => pf.vfs.map((wish) => [placeOf(wish), wish.node] as const)),
  );
  return vfs.flatMap(({ address, pfAddress, vfIndex }) => {
    const node = wishes.get(placeOf({ pf: pfAddress, vf: vfIndex }));
    return node ? [{ pciAddress: address, ...node }] : [];
  });
}
