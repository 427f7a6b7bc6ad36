import { z } from 'zod';
import { defaultHostOptions, mostTimeoutMs } from './host-options.js';

const hostOptions = z.strictObject({
  root: z.string().min(1).default(defaultHostOptions.root),
  timeoutMs: z.number().int().min(1).max(mostTimeoutMs).default(defaultHostOptions.timeoutMs),
});

/** @throws {TypeError} naming every option that is unknown or has the wrong form */
export function parseHostOptions(options: unknown): z.output<typeof hostOptions> {
  const parsed = hostOptions.safeParse(options);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) =>
    issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`,
  );
  throw new TypeError(`VdpaHost.open: ${problems.join('; ')}`, { cause: parsed.error });
}
