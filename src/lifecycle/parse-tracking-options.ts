import { z } from 'zod';
import type { Logger } from '../logger.js';
import { parsed } from '../parsed.js';
import type { Store } from '../tracker/store.js';
import { defaultTrackingOptions } from './tracking-options.js';

const dayMs = 86_400_000;

const trackingOptions = z.strictObject({
  deviceSpec: z.unknown().refine((value) => value !== undefined, { error: 'is missing' }),
  store: z.union(
    [
      z.string().min(1),
      z.custom<Store>((value) => has(value, 'open', 'commit', 'changes', 'close')),
    ],
    { error: 'expected the path of a file, or a store' },
  ),
  follow: z.boolean().default(defaultTrackingOptions.follow),
  reportInPlacement: z.boolean().default(defaultTrackingOptions.reportInPlacement),
  allowSoftwareDevices: z.boolean().default(defaultTrackingOptions.allowSoftwareDevices),
  retypeGraceMs: z.number().int().min(0).max(dayMs).default(defaultTrackingOptions.retypeGraceMs),
  logger: z
    .custom<Logger>((value) => has(value, 'info', 'warn', 'error'), {
      error: 'expected a logger with info, warn and error',
    })
    .optional(),
});

export type CheckedTrackingOptions = z.output<typeof trackingOptions>;

/** @throws {TypeError} naming every option that is unknown, missing or of the wrong form */
export function parseTrackingOptions(options: unknown): CheckedTrackingOptions {
  return parsed('VdpaHost.open', trackingOptions, options);
}

function has(value: unknown, ...methods: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof Reflect.get(value, name) === 'function')
  );
}
