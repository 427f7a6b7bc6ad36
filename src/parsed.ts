import type { z } from 'zod';

/** What zod found, each with the key it is about: `numa.policy: Invalid option`. */
export function issueTexts({ issues }: z.ZodError): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
}

/**
 * @param what stands before what is wrong: the call or the file
 * @throws {TypeError} naming every key that is unknown, missing or of the wrong form
 */
export function parsed<Schema extends z.ZodType>(
  what: string,
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new TypeError(`${what}: ${issueTexts(result.error)}`, { cause: result.error });
}
