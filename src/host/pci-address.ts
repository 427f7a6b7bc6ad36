declare const brand: unique symbol;

/** A PCI function's address as the kernel writes it: `0000:65:00.2`, VMD domains `10000:01:00.0`. */
export type PciAddress = string & { readonly [brand]: 'PciAddress' };

const form = /^(?:[0-9a-f]{4}|[1-9a-f][0-9a-f]{4,7}):[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/;

/** Whether the text is a PCI address in the kernel's own spelling: lower case, with its domain. */
export function isPciAddress(text: unknown): text is PciAddress {
  return typeof text === 'string' && form.test(text);
}

/** The function number: 2 of `0000:65:00.2`. */
export function pciFunctionNumber(address: PciAddress): number {
  return Number.parseInt(address.at(-1) ?? '0', 8);
}

/** @throws {TypeError} */
export function assertPciAddress(text: unknown): asserts text is PciAddress {
  if (isPciAddress(text)) return;
  throw new TypeError(`${JSON.stringify(text)} is no PCI address: expected 0000:65:00.2`);
}
