/**
 * The own fields of an object as JSON has them. Null for everything else, so that no other object
 * (a Map, say) passes for one without fields.
 */
export function fieldsOf(value: unknown): [string, unknown][] | null {
  if (typeof value !== 'object' || value === null) return null;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.entries(value) : null;
}

const mostShown = 200;

/** A value for a message: its JSON where it has one, and not all of a long one. */
export function shown(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = 'a value that cannot be shown';
  }
  return text.length <= mostShown ? text : `${text.slice(0, mostShown)}…`;
}
