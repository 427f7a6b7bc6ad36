const truths: Readonly<Record<string, boolean>> = {
  1: true,
  t: true,
  true: true,
  on: true,
  y: true,
  yes: true,
  0: false,
  f: false,
  false: false,
  off: false,
  n: false,
  no: false,
};

/** The words for yes and no, for error messages. */
export const truthWords = Object.keys(truths).toSorted().join(', ');

/** What a person means who wrote yes or no, in any of the usual ways; null when it is neither. */
export function truth(text: string): boolean | null {
  const word = text.trim().toLowerCase();
  return Object.hasOwn(truths, word) ? (truths[word] ?? null) : null;
}
