// What a value must be, said by hand: every command that opens a store would wait longer for a library
// than for all else, and the tracker asks with every claim.

/**
 * What is wrong with a value, after the path to it: `.device.id: is no text`. Null: nothing.
 *
 * @param exact whether an object may have no further keys
 */
export type Check = (value: unknown, exact: boolean) => string | null;

/** A check for each key: whoever adds one to a type gets an error here until it is checked as well. */
export type Shape<T> = { readonly [Key in keyof Required<T>]: Check };

export const that =
  (holds: (value: unknown) => boolean, wrong: string): Check =>
  (value) =>
    holds(value) ? null : `: ${wrong}`;

/** Half a surrogate pair stands for no bytes: a file has another text in its place. */
const isWhole = (text: string): boolean => !/\p{Cs}/u.test(text);

/** Room for the longest id of a device: the kernel's names have 255 bytes, each up to four characters here. */
const mostNameCharacters = 1100;

export const text = that((value) => typeof value === 'string' && isWhole(value), 'is no text');
export const name = that(
  (value) =>
    typeof value === 'string' &&
    value.length <= mostNameCharacters &&
    /^[^\0\p{Cs}]+$/u.test(value),
  `is no name of 1 to ${mostNameCharacters} characters`,
);
export const anything: Check = () => null;
export const boolean = that((value) => typeof value === 'boolean', 'is neither true nor false');
export const from = (least: number): Check =>
  that(
    // Minus zero comes back from a file as zero, which is another value.
    (value) => Number.isSafeInteger(value) && Number(value) >= least && !Object.is(value, -0),
    `is no whole number from ${least}`,
  );
export const oneOf = (...words: readonly string[]): Check =>
  that((value) => words.some((word) => word === value), `is none of ${words.join(', ')}`);

export const abortSignal = that((value) => value instanceof AbortSignal, 'is no AbortSignal');

export const callable = that((value) => typeof value === 'function', 'is no function');

/** An object of somebody else's making, by what is called of it. */
export const having = (...methods: readonly string[]): Check =>
  that(
    (value) => isObject(value) && methods.every((key) => typeof value[key] === 'function'),
    `has not the methods ${methods.join(', ')}`,
  );

export const nullable =
  (check: Check): Check =>
  (value, exact) =>
    value === null ? null : check(value, exact);

export const optional =
  (check: Check): Check =>
  (value, exact) =>
    value === undefined ? null : check(value, exact);

export const listOf =
  (check: Check): Check =>
  (value, exact) =>
    Array.isArray(value) ? firstWrong(value.entries(), check, exact) : ': is no list';

export const mapOf =
  (check: Check): Check =>
  (value, exact) =>
    isObject(value) ? firstWrong(Object.entries(value), check, exact) : ': is no object';

export function shape<T>(checks: Shape<T>): Check {
  const entries = Object.entries<Check>(checks);
  return (value, exact) => {
    if (!isObject(value)) return ': is no object';
    for (const [key, check] of entries) {
      const wrong = check(value[key], exact);
      if (wrong !== null) return `.${key}${wrong}`;
    }
    if (!exact) return null;
    for (const key in value) if (!Object.hasOwn(checks, key)) return `.${key}: is no key of it`;
    return null;
  };
}

/** What is wrong, from the path on: `device.id: is no text`; for the value itself `is no object`. */
export function wrongIn(check: Check, value: unknown, exact: boolean): string | null {
  const wrong = check(value, exact);
  return wrong === null ? null : wrong.replace(/^(\.|: )/, '');
}

function firstWrong(
  entries: Iterable<readonly [string | number, unknown]>,
  check: Check,
  exact: boolean,
): string | null {
  for (const [key, value] of entries) {
    const wrong = check(value, exact);
    if (wrong !== null) return `.${key}${wrong}`;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
