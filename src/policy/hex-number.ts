/**
 * A number as operators write ids and address fields: hexadecimal, `0x` before it or not, blanks
 * around it or not. What an input method makes of digits (full width) are digits. Null for anything
 * else, a number that a double cannot hold exactly included.
 */
export function hexNumber(text: string): number | null {
  const [, digits] = /^(?:0x)?0*([0-9a-f]+)$/i.exec(text.normalize('NFKC').trim()) ?? [];
  return digits === undefined || digits.length > 12 ? null : Number.parseInt(digits, 16);
}
