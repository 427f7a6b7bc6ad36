import type { Claim, InstanceId, MigrationId } from './claim.js';

/** A migration that is under way. */
export interface LivingMigration {
  readonly id: MigrationId | null;
  readonly instance: InstanceId;
}

/** Who may have claims. */
export interface Living {
  readonly instances: readonly InstanceId[];
  readonly migrations?: readonly LivingMigration[] | undefined;
  /**
   * The tracker's fence before the lists were read: claims made since belong to somebody who may be
   * in none of them yet. Absent: no claim is spared.
   */
  readonly asOf?: number | undefined;
}

/**
 * Whether nobody who lives has the claim. One that was made for a migration lives and dies with that;
 * an instance's own lives as long as the instance does, here or on its way.
 */
export function isOrphan(claim: Claim, { instances, migrations = [], asOf }: Living): boolean {
  if (asOf !== undefined && claim.fence > asOf) return false;
  if (claim.migration !== null) return !migrations.some(({ id }) => id === claim.migration);
  return (
    !instances.includes(claim.instance) &&
    !migrations.some(({ instance }) => instance === claim.instance)
  );
}
