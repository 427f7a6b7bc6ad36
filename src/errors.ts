/**
 * The stable names of everything that can go wrong. Each is explained, with its cure, in
 * docs/errors.md; code may branch on them, and never needs to read a message.
 */
export const errorCodes = [
  'ADDON_MISSING',
  'ROOT_INVALID',
  'CAPTURE_INVALID',
  'CAPTURE_TOO_NEW',
  'CAPTURE_EXISTS',
  'CAPTURE_NOT_WRITTEN',
  'CLOSED',
  'VDPA_MODULE_MISSING',
  'VDPA_FAMILY_MISSING',
  'PERMISSION_DENIED',
  'NOT_SUPPORTED',
  'DEVICE_NOT_FOUND',
  'DEVICE_NOT_BOUND',
  'DEVICE_AMBIGUOUS',
  'DEVICE_BUSY',
  'DEVICE_CHANGED',
  'DEVICE_EXISTS',
  'DEVICE_IN_HOST_USE',
  'DEVICE_RESERVED',
  'DRIVER_MISSING',
  'VFS_EXIST',
  'CHAR_DEVICE_MISSING',
  'CHAR_DEVICE_MISMATCH',
  'FEATURES_NOT_NEGOTIATED',
  'RESOURCE_EXHAUSTED',
  'HOST_CAPTURED',
  'CHANGE_INTERRUPTED',
  'DECLARATION_UNFIT',
  'PROVISION_INCOMPLETE',
  'DEVICE_NOT_FREE',
  'DEVICE_NOT_HELD',
  'DEVICE_HELD_BY_OTHER',
  'DEVICE_FAMILY_HELD',
  'CLAIM_UNSATISFIABLE',
  'CLAIM_CONFLICT',
  'CLAIM_NOT_FOUND',
  'CLAIM_STALE',
  'CONFIG_MISSING',
  'CONFIG_INVALID',
  'STORE_CONFLICT',
  'STORE_FAILED',
  'DEVICE_SPEC_INVALID',
  'DEVICE_NOT_SPECIFIED',
  'ALIAS_INVALID',
  'ALIAS_UNKNOWN',
  'REQUEST_INVALID',
  'PORT_CHANGED',
  'NUMA_POLICY_INVALID',
  'NUMA_POLICY_CONFLICT',
  'STORE_NOT_FOUND',
  'STORE_NOT_OPENED',
  'STORE_LOCKED',
  'STORE_BUSY',
  'STORE_FULL',
  'STORE_CORRUPT',
  'STORE_TOO_NEW',
  'STORE_ENGINE_MISSING',
  'OWNER_UNREACHABLE',
  'OWNER_PROTOCOL',
  'OWNER_SOCKET_FAILED',
  'LIBVIRT_MISSING',
  'GUEST_NOT_FOUND',
  'GUEST_UNREACHABLE',
  'GUEST_PROTOCOL',
  'GUEST_REFUSED',
  'GUEST_TIMEOUT',
  'GUEST_SLOT_MISSING',
  'GUEST_KEEPS_DEVICE',
  'INTERFACE_CONFLICT',
  'ATTACH_NOT_VERIFIED',
  'CLAIM_IN_GUEST',
  'OPERATION_UNDER_WAY',
  'MAC_MISMATCH',
  'MEMORY_LOCK_TOO_LOW',
  'NETWORK_BACKEND_FAILED',
  'KERNEL_TIMEOUT',
  'KERNEL_OVERRUN',
  'KERNEL_MALFORMED',
  'KERNEL_REFUSED',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** What the failed call left behind on the host. */
export type Outcome =
  /** Nothing was changed. */
  | 'unchanged'
  /** Something was changed and has been put back. */
  | 'undone'
  /** Some of it stands; `leftovers` names what. */
  | 'partial'
  /** Whether the kernel did it cannot be known from here. */
  | 'unknown';

/** Whether the same call can succeed later. */
export type Retry =
  /** No: the arguments or the machine rule it out. */
  | 'never'
  /** Yes, without anybody doing anything. */
  | 'later'
  /** Yes, once the cure in the message has been applied. */
  | 'after-fix';

export interface VdpaErrorDetails {
  /** The errno the kernel answered, by name ("EBUSY"). */
  readonly errno?: string | undefined;
  /** The kernel's own words: its extended acknowledgement. */
  readonly extack?: string | undefined;
  /** Byte offset in the request of the attribute the kernel objected to. */
  readonly attributeOffset?: number | undefined;
  /** What was being done: a netlink command or a call and its path. */
  readonly step?: string | undefined;
  readonly outcome?: Outcome | undefined;
  readonly retry?: Retry | undefined;
  /** What was made and could not be taken back, in words. */
  readonly leftovers?: readonly string[] | undefined;
  readonly cause?: unknown;
}

/** The one error class of the library. Programmer mistakes are `TypeError`s instead. */
export class VdpaError extends Error {
  override readonly name = 'VdpaError';
  readonly code: ErrorCode;
  readonly errno: string | undefined;
  readonly extack: string | undefined;
  readonly attributeOffset: number | undefined;
  readonly step: string | undefined;
  readonly outcome: Outcome;
  readonly retry: Retry;
  readonly leftovers: readonly string[];

  constructor(code: ErrorCode, message: string, details: VdpaErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.errno = details.errno;
    this.extack = details.extack;
    this.attributeOffset = details.attributeOffset;
    this.step = details.step;
    this.outcome = details.outcome ?? 'unchanged';
    this.retry = details.retry ?? 'after-fix';
    this.leftovers = details.leftovers ?? [];
  }
}

/** The same error in other words, and with what is changed of the rest. */
export function restated(error: VdpaError, message: string, changed: VdpaErrorDetails): VdpaError {
  const { code, errno, extack, attributeOffset, step, outcome, retry, leftovers } = error;
  const kept = { errno, extack, attributeOffset, step, outcome, retry, leftovers, cause: error };
  return new VdpaError(code, message, { ...kept, ...changed });
}
