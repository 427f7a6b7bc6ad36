const mostCharacters = 2 ** 20;

/**
 * Whole lines of a stream of text, without their ends. What follows the last line's end is dropped: it
 * was cut short.
 *
 * @throws {RangeError} for a line of more than 1 Mi characters
 */
export async function* linesOf(
  chunks: AsyncIterable<string>,
): AsyncGenerator<string, undefined, undefined> {
  let rest = '';
  for await (const chunk of chunks) {
    const [first = '', ...others] = chunk.split('\n');
    rest += first;
    for (const other of others) {
      yield rest;
      rest = other;
    }
    if (rest.length > mostCharacters) throw new RangeError('a line is too long');
  }
}
