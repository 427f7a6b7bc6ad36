import { getSystemErrorName } from 'node:util';
import { type ErrorCode, type Retry, VdpaError } from './errors.js';

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
    text: 'the kernel did not answer in time; another vDPA command may be holding its lock (a delete of a device in use does)',
  },
  lost: {
    code: 'KERNEL_OVERRUN',
    retry: 'later',
    text: 'the kernel dropped part of its answer; ask again',
  },
  malformed: {
    code: 'KERNEL_MALFORMED',
    retry: 'never',
    text: 'the answer does not have the form the kernel promises; please report it',
  },
  gone: {
    code: 'DEVICE_NOT_FOUND',
    retry: 'never',
    text: 'it is not there, or no longer',
  },
};

const byErrno: Readonly<Record<string, Verdict>> = {
  EPERM: {
    code: 'PERMISSION_DENIED',
    retry: 'after-fix',
    text: 'this needs CAP_NET_ADMIN in the initial user namespace: run as root',
  },
  EACCES: {
    code: 'PERMISSION_DENIED',
    retry: 'after-fix',
    text: 'the file may not be read by this user: run as root',
  },
  EOPNOTSUPP: {
    code: 'NOT_SUPPORTED',
    retry: 'never',
    text: 'this kernel or device does not support it',
  },
  EAGAIN: {
    code: 'FEATURES_NOT_NEGOTIATED',
    retry: 'later',
    text: 'no driver has negotiated features with the device yet: ask while a guest uses it',
  },
  EBUSY: {
    code: 'KERNEL_REFUSED',
    retry: 'later',
    text: 'the kernel says it is busy',
  },
};

/** The kernel's name of an errno. Node, like libuv, calls EOPNOTSUPP by its other name. */
function errnoNameOf(errno: number): string {
  const name = getSystemErrorName(-errno);
  return name === 'ENOTSUP' ? 'EOPNOTSUPP' : name;
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
  const verdict: Verdict =
    kind === 'system'
      ? ((errnoName === undefined ? undefined : byErrno[errnoName]) ?? {
          code: 'KERNEL_REFUSED',
          retry: 'never',
          text: 'the kernel refused',
        })
      : byFault[kind];
  const said = [errnoName, message].filter(Boolean).join(': ');
  return new VdpaError(verdict.code, `${op}: ${verdict.text}${said === '' ? '' : ` (${said})`}`, {
    errno: errnoName,
    extack: message === '' ? undefined : message,
    attributeOffset: attributeOffset ?? undefined,
    step: op,
    retry: verdict.retry,
  });
}
