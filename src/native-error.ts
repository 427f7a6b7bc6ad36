import { getSystemErrorName } from 'node:util';
import { type ErrorCode, type Outcome, type Retry, VdpaError } from './errors.js';

/** The order of `enum class Fault` in native/core/result.h. */
const faults = ['system', 'no-family', 'timeout', 'lost', 'malformed', 'gone'] as const;
type Fault = (typeof faults)[number];

interface Verdict {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly text: string;
}

const byFault: Record<Exclude<Fault, 'system'>, Verdict> = {
  'no-family': {
    code: 'VDPA_FAMILY_MISSING',
    retry: 'after-fix',
    text: 'the kernel has no netlink family "vdpa" here: load the module (modprobe vdpa) or run in the host\'s own network namespace',
  },
  timeout: {
    code: 'KERNEL_TIMEOUT',
    retry: 'later',
    text: 'no answer in time: the kernel is holding its vDPA lock for another command (a delete of a device in use does)',
  },
  lost: {
    code: 'KERNEL_OVERRUN',
    retry: 'later',
    text: 'the kernel dropped part of its answer: ask again',
  },
  malformed: {
    code: 'KERNEL_MALFORMED',
    retry: 'never',
    text: 'the answer does not have the form the kernel promises: a captured host is damaged; of a live one please report it',
  },
  gone: {
    code: 'DEVICE_NOT_FOUND',
    retry: 'later',
    text: 'it is not there, or no longer',
  },
};

const refused: Verdict = { code: 'KERNEL_REFUSED', retry: 'never', text: 'the kernel refused' };
const busy: Verdict = {
  code: 'KERNEL_REFUSED',
  retry: 'later',
  text: 'the kernel says it is busy',
};
const unsupported: Verdict = {
  code: 'NOT_SUPPORTED',
  retry: 'never',
  text: 'this kernel or device does not support it',
};
const forbidden: Verdict = {
  code: 'PERMISSION_DENIED',
  retry: 'after-fix',
  text: 'this process may not: run as root, without a filter on its system calls',
};
const exhausted: Verdict = {
  code: 'RESOURCE_EXHAUSTED',
  retry: 'later',
  text: 'the machine or this process is short of memory, threads or file descriptors',
};

const byErrno: Readonly<Record<string, Verdict>> = {
  EPERM: forbidden,
  EACCES: forbidden,
  EOPNOTSUPP: unsupported,
  ENOTSUPP: unsupported,
  EBUSY: busy,
  EAGAIN: exhausted,
  EMFILE: exhausted,
  ENFILE: exhausted,
  ENOMEM: exhausted,
  ENOBUFS: exhausted,
};

/** What an errno means in the answer to one command rather than in general. */
const byCommand: Readonly<Record<string, Readonly<Record<string, Verdict>>>> = {
  EPERM: named(['DEV_NEW', 'DEV_DEL', 'DEV_VSTATS_GET', 'DEV_ATTR_SET'], {
    code: 'PERMISSION_DENIED',
    retry: 'after-fix',
    text: 'this needs CAP_NET_ADMIN in the initial user namespace: run as root',
  }),
  EEXIST: named(['DEV_NEW'], {
    code: 'DEVICE_EXISTS',
    retry: 'after-fix',
    text: 'the name is taken',
  }),
  ENODEV: named(['DEV_NEW'], {
    code: 'DEVICE_NOT_FOUND',
    retry: 'later',
    text: 'the management device is not there, or no longer',
  }),
  EAGAIN: named(['DEV_CONFIG_GET', 'DEV_VSTATS_GET'], {
    code: 'FEATURES_NOT_NEGOTIATED',
    retry: 'later',
    text: 'no driver has negotiated features with the device yet: ask while a guest uses it',
  }),
};

const changes: ReadonlySet<string> = new Set(['DEV_NEW', 'DEV_DEL', 'DEV_ATTR_SET']);

function named(commands: readonly string[], verdict: Verdict): Record<string, Verdict> {
  return Object.fromEntries(commands.map((command) => [command, verdict]));
}

/** Those that Node does not know: the kernel's inner 524 among them. */
const unknownToNode: ReadonlyMap<number, string> = new Map([
  [77, 'EBADFD'],
  [524, 'ENOTSUPP'],
]);

/** The kernel's name of an errno: Node calls EOPNOTSUPP otherwise. */
function errnoNameOf(errno: number): string {
  const known = unknownToNode.get(errno);
  if (known !== undefined) return known;
  const name = getSystemErrorName(-errno);
  return name === 'ENOTSUP' ? 'EOPNOTSUPP' : name;
}

function verdictOf(kind: Fault, op: string, errnoName: string | undefined): Verdict {
  if (kind !== 'system') return byFault[kind];
  if (errnoName === undefined) return refused;
  return byCommand[errnoName]?.[op] ?? byErrno[errnoName] ?? refused;
}

/** Whether a change was made cannot be told from an answer that did not come, or came to pieces. */
function outcomeOf(kind: Fault, op: string): Outcome {
  const unanswered = kind === 'timeout' || kind === 'lost' || kind === 'malformed';
  return unanswered && changes.has(op) ? 'unknown' : 'unchanged';
}

/**
 * Makes the error of a failed native call. Called from C++ with positional arguments.
 *
 * @param fault index into `enum class Fault`
 * @param op what was being done, as the core named it
 * @param errno positive errno, 0 when none
 * @param message extended acknowledgement or detail, may be empty
 * @param attributeOffset offset of the refused attribute, or null
 */
export function nativeError(
  fault: number,
  op: string,
  errno: number,
  message: string,
  attributeOffset: number | null,
): VdpaError {
  const kind = faults[fault] ?? 'malformed';
  const errnoName = errno > 0 ? errnoNameOf(errno) : undefined;
  const { code, retry, text } = verdictOf(kind, op, errnoName);
  const said = [errnoName, message].filter(Boolean).join(': ');
  return new VdpaError(code, `${op}: ${text}${said === '' ? '' : ` (${said})`}`, {
    errno: errnoName,
    extack: message === '' ? undefined : message,
    attributeOffset: attributeOffset ?? undefined,
    step: op,
    retry,
    outcome: outcomeOf(kind, op),
  });
}
