/** The first QEMU with vhost-vdpa, and the first libvirt with `<interface type='vdpa'>`. */
export const guestSoftwareMinimum = { qemu: '5.1', libvirt: '6.9.0' } as const;

/** Of versions that are numbers and dots; what is left out is zero. */
export function isAtLeast(version: string, needed: string): boolean {
  const [has, wants] = [version, needed].map((text) => text.split('.').map(Number));
  for (const [index, number] of (wants ?? []).entries()) {
    const own = has?.[index] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}
