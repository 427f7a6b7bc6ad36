import { z } from 'zod';

const hostOptions = z.strictObject({
  root: z.string().min(1).default('/'),
  timeoutMs: z.number().int().min(1).max(600_000).default(10_000),
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
