import { type ErrorCode, VdpaError, type VdpaErrorDetails } from '../errors.js';
import type { LibvirtRefusal } from './libvirt-process.js';

/** Of libvirt's `virErrorNumber`, which never change their meaning. */
export const libvirtCode = {
  noSupport: 3,
  operationDenied: 29,
  noDomain: 42,
  operationInvalid: 55,
  configUnsupported: 67,
  operationTimeout: 68,
  operationUnsupported: 84,
  accessDenied: 88,
  deviceMissing: 99,
} as const;

type Meaning = [code: ErrorCode, retry: VdpaErrorDetails['retry']];

const byCode: ReadonlyMap<number, Meaning> = new Map<number, Meaning>([
  [libvirtCode.noDomain, ['GUEST_NOT_FOUND', 'later']],
  [libvirtCode.operationTimeout, ['GUEST_TIMEOUT', 'later']],
  [libvirtCode.operationDenied, ['PERMISSION_DENIED', 'after-fix']],
  [libvirtCode.accessDenied, ['PERMISSION_DENIED', 'after-fix']],
  [libvirtCode.noSupport, ['NOT_SUPPORTED', 'never']],
  [libvirtCode.configUnsupported, ['NOT_SUPPORTED', 'after-fix']],
  [libvirtCode.operationUnsupported, ['NOT_SUPPORTED', 'after-fix']],
]);

/**
 * Where libvirt has no number of its own, its words tell. A daemon that runs in another locale, and has its
 * translations, is not understood: what it says is then told as a refusal.
 */
const byWords: readonly [words: RegExp, meaning: Meaning][] = [
  [/non unique alias detected/, ['INTERFACE_CONFLICT', 'after-fix']],
  [/No more available PCI (slots|addresses)/, ['GUEST_SLOT_MISSING', 'after-fix']],
  [/vdpa.*: Device or resource busy/, ['DEVICE_BUSY', 'later']],
  [/vdpa.*: No such (file or directory|device)/, ['DEVICE_NOT_FOUND', 'later']],
  [/cannot limit locked memory/, ['MEMORY_LOCK_TOO_LOW', 'after-fix']],
  [/domain is (not|no longer) running|End of file from qemu monitor/, ['GUEST_NOT_FOUND', 'later']],
];

/** As callers of the library get it. */
export function libvirtError(refusal: LibvirtRefusal): VdpaError {
  const { call, code, message } = refusal;
  const [, worded] = byWords.find(([words]) => words.test(message)) ?? [];
  const [meaning, retry] = worded ?? byCode.get(code) ?? ['GUEST_REFUSED', 'after-fix'];
  return new VdpaError(meaning, `libvirt refused to ${call}: ${message}`, {
    step: call,
    retry,
    errno: meaning === 'DEVICE_BUSY' ? 'EBUSY' : undefined,
    cause: refusal,
  });
}
