import type { InstanceId, MigrationId } from 'vdpa-host';
import { z } from 'zod';

/** It also stands in paths, and in QEMU's options. */
export const instanceId = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,63}$/, 'expected letters, digits, "-", "_" and ".", at most 64')
  .transform((text) => text as InstanceId);

export const migrationId = z
  .string()
  .min(1)
  .transform((text) => text as MigrationId);

const phase = z.discriminatedUnion('name', [
  z.strictObject({
    name: z.literal([
      'booting',
      'running',
      'suspending',
      'suspended',
      // Its state is being loaded; the guest has not run on from it.
      'loading',
      // It may run, and is getting its interfaces back.
      'resuming',
      'stopping',
      'stopped',
      'starting',
      'deleting',
      // After a migration that does not come about: it is getting back what it had.
      'staying',
    ]),
  }),
  // Here, with a migration under way; and elsewhere, which is never taken back.
  z.strictObject({ name: z.literal(['leaving', 'left']), migration: migrationId, to: z.string() }),
  // On its way here; and here, which is never taken back.
  z.strictObject({ name: z.literal(['arriving', 'arrived']), migration: migrationId }),
]);

/** A migration that does not come about, and the agent that may still have something of it. */
const abandoned = z.strictObject({ migration: migrationId, to: z.string() });

export const definition = z.strictObject({
  instance: instanceId,
  numaCells: z.array(z.int().nonnegative()).nullable(),
  phase,
  /** Of which the other agent has not been told yet. */
  untold: z.array(abandoned).default([]),
});

/** What an instance is going through: durable before it is begun, so that a new process knows. */
export type Phase = z.infer<typeof phase>;

/** An instance of this host, as its file has it. */
export type Definition = z.infer<typeof definition>;

export type Leaving = Definition & { readonly phase: Extract<Phase, { readonly to: string }> };

export function isLeaving(one: Definition): one is Leaving {
  return one.phase.name === 'leaving' || one.phase.name === 'left';
}
