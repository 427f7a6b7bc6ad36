import { type Finding, type FindingCode, ok, problem, warning } from './finding.js';
import type { FoundProgram, GuestSoftware } from './guest-software.js';

/** The first QEMU with vhost-vdpa, and the first libvirt with `<interface type='vdpa'>`. */
const minimum = { qemu: '5.1', libvirt: '6.9.0' } as const;

export function guestSoftwareFindings({ qemu, libvirt }: GuestSoftware): readonly Finding[] {
  return [
    qemu === null
      ? warning('qemu-version', 'no QEMU was found', `install QEMU ${minimum.qemu} or later`)
      : version('qemu-version', 'QEMU', qemu, minimum.qemu),
    libvirt === null
      ? ok('libvirt-version', 'no libvirt was found: QEMU can be driven without it, over QMP')
      : version('libvirt-version', 'libvirt', libvirt, minimum.libvirt),
  ];
}

function version(code: FindingCode, what: string, found: FoundProgram, needed: string): Finding {
  const { name, version, timedOut } = found;
  if (version === null) {
    return warning(
      code,
      timedOut
        ? `${name} --version does not end: the version of ${what} is unknown`
        : `${name} --version tells no version of ${what}`,
      `check that it is ${what} ${needed} or later`,
    );
  }
  return atLeast(version, needed)
    ? ok(code, `${what} ${version} (${name})`)
    : problem(
        code,
        `${what} ${version} (${name}) has no vhost-vdpa`,
        `install ${what} ${needed} or later`,
      );
}

function atLeast(version: string, needed: string): boolean {
  const [has, wants] = [version, needed].map((text) => text.split('.').map(Number));
  for (const [index, number] of (wants ?? []).entries()) {
    const own = has?.[index] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}
