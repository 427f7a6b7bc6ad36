export type Severity = 'ok' | 'warning' | 'error';

export type FindingCode =
  | 'kernel-version'
  | 'vdpa-module'
  | 'vdpa-family'
  | 'vhost-vdpa-module'
  | 'driver-contest'
  | 'iommu'
  | 'vf-autoprobe'
  | 'switchdev-order'
  | 'privilege'
  | 'memory-lock'
  | 'char-device-nodes'
  | 'node-permissions'
  | 'devices'
  | 'qemu-version'
  | 'libvirt-version';

/** One thing that was checked. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** What was found. */
  readonly message: string;
  /** What to do about it; null when it is as it should be. */
  readonly cure: string | null;
}

export const ok = (code: FindingCode, message: string): Finding => ({
  code,
  severity: 'ok',
  message,
  cure: null,
});
export const warning = (code: FindingCode, message: string, cure: string): Finding => ({
  code,
  severity: 'warning',
  message,
  cure,
});
export const problem = (code: FindingCode, message: string, cure: string): Finding => ({
  code,
  severity: 'error',
  message,
  cure,
});

/** How many are named before the rest is counted. */
export const mostNamed = 3;

/** `a, b, c and 5 more` */
export function named(names: readonly string[], count = names.length): string {
  const first = names.slice(0, mostNamed).join(', ');
  return count > mostNamed ? `${first} and ${count - mostNamed} more` : first;
}
