import type { Claim, InstanceId, MigrationId } from './claim.js';
import type { Ledger } from './ledger.js';
import type { Operation } from './operation.js';

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

/** Of an orphan: whether it is given back. What a guest may still have is nobody else's yet. */
export const isForfeit = ({ guest }: Claim): boolean => guest === null;

/**
 * Tells of a claim whether nobody who lives has it. One that was made for a migration lives and dies with
 * that; an instance's own lives as long as the instance does, here or on its way.
 *
 * @param living null: nobody knows, and no claim is one
 * @param operations an instance in the middle of one may be coming or going: its claims live
 */
export function orphansOf(
  living: Living | null,
  operations: Pick<Ledger, 'operation'>,
): (claim: Claim) => boolean {
  if (living === null) return () => false;
  const { migrations = [], asOf } = living;
  const alive = aliveOf(living);
  const moving = new Set(migrations.map(({ id }) => id));
  return ({ fence, instance, migration }) => {
    if (asOf !== undefined && fence > asOf) return false;
    if (operations.operation(instance) !== undefined) return false;
    return migration === null ? !alive.has(instance) : !moving.has(migration);
  };
}

/** A step at which an operation rests until somebody goes on with it, as a suspend until it is resumed. */
const restStep = 'unplugged';

/**
 * Operations at rest of instances that do not live, in order of the instances' ids. In any other step
 * somebody is at work, or the instance may be on its way here.
 *
 * @param living null: nobody knows
 */
export function orphanedOperations(
  living: Living | null,
  ledger: Pick<Ledger, 'claimsOf' | 'operations'>,
): Operation[] {
  if (living === null) return [];
  const alive = aliveOf(living);
  const { asOf = Number.POSITIVE_INFINITY } = living;
  return ledger
    .operations()
    .filter(({ instance, step }) => step === restStep && !alive.has(instance))
    .filter(({ instance }) => ledger.claimsOf(instance).every(({ fence }) => fence <= asOf))
    .sort((a, b) => (a.instance < b.instance ? -1 : 1));
}

function aliveOf({ instances, migrations = [] }: Living): ReadonlySet<InstanceId> {
  return new Set([...instances, ...migrations.map(({ instance }) => instance)]);
}
