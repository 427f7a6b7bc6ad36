import { type Finding, type FindingCode, ok, problem, warning } from './finding.js';
import type { FoundProgram, GuestSoftware } from './guest-software.js';
import { isAtLeast, guestSoftwareMinimum as minimum } from './guest-software-minimum.js';

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
  return isAtLeast(version, needed)
    ? ok(code, `${what} ${version} (${name})`)
    : problem(
        code,
        `${what} ${version} (${name}) has no vhost-vdpa`,
        `install ${what} ${needed} or later`,
      );
}
