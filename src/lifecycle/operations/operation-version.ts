import { VdpaError } from '../../errors.js';

/** What the operations of this library can, for the library of another host: 1: live migration. */
export const operationsVersion = 1;

/** The least that both hosts of an operation must have. */
const minimumVersions = { 'live migration': 1 } as const;

/** @throws {VdpaError} `NOT_SUPPORTED` when the other host's library is too old */
export function assertVersion(operation: keyof typeof minimumVersions, others: number): void {
  const least = minimumVersions[operation];
  if (others >= least) return;
  throw new VdpaError(
    'NOT_SUPPORTED',
    `${operation} is not supported for instance with vDPA ports: the other host's operations have version ${others}, and ${least} is needed: upgrade vdpa-host there`,
    { retry: 'after-fix' },
  );
}
