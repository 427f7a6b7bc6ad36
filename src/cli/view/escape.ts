/**
 * Characters that would act on the terminal or hide in it: controls, format characters (among them
 * those that reverse the reading direction), lone surrogates, line separators. Names come from
 * drivers and from whoever made the device.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const notAscii = /[^ -~]/gu;

/** Makes outside text safe to print; with `ascii`, also printable in any locale. */
export function escapeText(text: string, ascii = false): string {
  return text.replace(ascii ? notAscii : unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    // Above ASCII that is how the library writes a byte of a name that is no text.
    return code < 0x80 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
  });
}
