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
