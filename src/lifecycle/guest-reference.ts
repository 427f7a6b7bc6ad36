import { isAbsolute, normalize } from 'node:path';

/** By what people name a guest: `qmp:` with its monitor's path, or `libvirt:` with its domain. */
export type GuestReference =
  | { readonly kind: 'qmp'; readonly path: string }
  | { readonly kind: 'libvirt'; readonly domain: string };

/** @throws {TypeError} for what is neither `qmp:PATH` (absolute) nor `libvirt:DOMAIN` */
export function parseGuestReference(text: string): GuestReference {
  const [, kind, rest] = /^(qmp|libvirt):(.+)$/s.exec(text) ?? [];
  if (kind === 'libvirt' && rest !== undefined && !rest.includes('\0')) {
    return { kind, domain: rest };
  }
  if (kind === 'qmp' && rest !== undefined && isAbsolute(rest) && !/[{}\0]|\/$/.test(rest)) {
    return { kind, path: normalize(rest) };
  }
  throw new TypeError(
    `expected a guest as qmp:PATH, the absolute path of its monitor, or libvirt:DOMAIN, not ${JSON.stringify(text)}`,
  );
}

/** One text for each guest, however its path was written. */
export function referenceText(reference: GuestReference): string {
  return reference.kind === 'qmp' ? `qmp:${reference.path}` : `libvirt:${reference.domain}`;
}
