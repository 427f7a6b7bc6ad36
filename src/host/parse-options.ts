import { z } from 'zod';
import { parsed } from '../parsed.js';
import { defaultHostOptions, mostTimeoutMs } from './host-options.js';
import { defaultWatchOptions } from './watch-options.js';

const dayMs = 86_400_000;

const hostOptions = z.strictObject({
  root: z.string().min(1).default(defaultHostOptions.root),
  timeoutMs: z.number().int().min(1).max(mostTimeoutMs).default(defaultHostOptions.timeoutMs),
});

const watchOptions = z.strictObject({
  signal: z.instanceof(AbortSignal).optional(),
  rereadMs: z.number().int().min(0).max(dayMs).default(defaultWatchOptions.rereadMs),
  healthMs: z.number().int().min(0).max(dayMs).default(defaultWatchOptions.healthMs),
  receiveBufferBytes: z
    .number()
    .int()
    .min(1)
    .max(2 ** 30)
    .default(defaultWatchOptions.receiveBufferBytes),
});

export type CheckedWatchOptions = z.output<typeof watchOptions>;

/** @throws {TypeError} naming every option that is unknown or has the wrong form */
export function parseHostOptions(options: unknown): z.output<typeof hostOptions> {
  return parsed('VdpaHost.open', hostOptions, options);
}

/** @throws {TypeError} as `parseHostOptions` */
export function parseWatchOptions(options: unknown): CheckedWatchOptions {
  return parsed('VdpaHost.watch', watchOptions, options);
}
