/** One recorded decision: what was asked, and what came of it. */
export interface RecordedCase {
  readonly case: { readonly op: string; readonly id: string };
  readonly expected: unknown;
}

/**
 * Decides a case anew.
 *
 * @returns every difference from what was recorded, in words; none when it is the same
 */
export type DecideCase = (recorded: RecordedCase) => readonly string[];

/**
 * Reads one line. A number as the value of a tag means its text, and nova's text of 1.0 is no 1:
 * numbers that JavaScript would spell otherwise are read as the text that is recorded.
 */
export function readCase(line: string): RecordedCase {
  const token = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
  return JSON.parse(
    line.replace(token, (text) =>
      text.startsWith('"') || String(Number(text)) === text ? text : JSON.stringify(text),
    ),
  );
}

/** What is to be the same at one place. An absent key means null. */
export function differences(actual: unknown, expected: unknown, place = ''): string[] {
  if (isObject(actual) && isObject(expected)) {
    const keys = new Set([...Object.keys(actual), ...Object.keys(expected)]);
    return [...keys].flatMap((key) =>
      differences(ownValue(actual, key), ownValue(expected, key), `${place}.${key}`),
    );
  }
  const same = (actual ?? null) === (expected ?? null);
  return same ? [] : [`${place}: ${JSON.stringify(actual)}, recorded ${JSON.stringify(expected)}`];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function ownValue(value: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(value, key)?.value;
}
