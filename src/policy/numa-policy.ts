import { VdpaError } from '../errors.js';
import { shown } from './written.js';

/**
 * How near a device must be to the guest's NUMA nodes.
 *
 * - `required`: on one of them
 * - `socket`: on one of them, or on a node of the same host socket
 * - `preferred`: anywhere, on one of them if possible
 * - `legacy`: on one of them, or on no known node (the default)
 */
export type NumaPolicy = 'required' | 'socket' | 'preferred' | 'legacy';

export const numaPolicies: readonly NumaPolicy[] = ['required', 'socket', 'preferred', 'legacy'];

/**
 * @param text of a port, flavor or image; null or empty when it has none
 * @param where it stands, for the error message
 * @throws {VdpaError} NUMA_POLICY_INVALID
 */
export function parseNumaPolicy(text: string | null | undefined, where: string): NumaPolicy | null {
  if (text === null || text === undefined || text === '') return null;
  const policy = numaPolicies.find((known) => known === text);
  if (policy !== undefined) return policy;
  throw new VdpaError(
    'NUMA_POLICY_INVALID',
    `${where}: ${shown(text)} is no NUMA policy: expected ${numaPolicies.join(', ')}`,
    { retry: 'never' },
  );
}

/**
 * What an instance asks for, where its ports say nothing themselves.
 *
 * @param flavor value of its extra spec `hw:pci_numa_affinity_policy`
 * @param image value of its property `hw_pci_numa_affinity_policy`
 * @throws {VdpaError} NUMA_POLICY_CONFLICT, NUMA_POLICY_INVALID
 */
export function instanceNumaPolicy(
  flavor: string | null | undefined,
  image: string | null | undefined,
): NumaPolicy | null {
  if (flavor && image && flavor !== image) {
    throw new VdpaError(
      'NUMA_POLICY_CONFLICT',
      `the flavor asks for the NUMA policy ${shown(flavor)}, the image for ${shown(image)}`,
      { retry: 'never' },
    );
  }
  return (
    parseNumaPolicy(flavor, 'flavor hw:pci_numa_affinity_policy') ??
    parseNumaPolicy(image, 'image hw_pci_numa_affinity_policy')
  );
}
