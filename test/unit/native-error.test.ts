import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../src/errors.js';
import { nativeError } from '../../src/native-error.js';

const [system, noFamily, timeout, lost, malformed, gone] = [0, 1, 2, 3, 4, 5];

describe('the error of a native call', () => {
  test('counts faults as native/core/result.h does', () => {
    const header = readFileSync(new URL('../../native/core/result.h', import.meta.url), 'utf8');
    const [, body = ''] = /enum class Fault[^{]*\{([^}]*)\}/.exec(header) ?? [];
    const faults = [...body.matchAll(/^\s*(k\w+),/gm)].map(([, name]) => name);
    expect(faults).toEqual(['kSystem', 'kNoFamily', 'kTimeout', 'kLost', 'kMalformed', 'kGone']);
  });

  test.each([
    [noFamily, 'VDPA_FAMILY_MISSING', 'after-fix'],
    [timeout, 'KERNEL_TIMEOUT', 'later'],
    [lost, 'KERNEL_OVERRUN', 'later'],
    [malformed, 'KERNEL_MALFORMED', 'never'],
    [gone, 'DEVICE_NOT_FOUND', 'later'],
    [99, 'KERNEL_MALFORMED', 'never'],
  ])('of fault %i is %s, whatever the errno', (fault, code, retry) => {
    for (const errno of [0, 1, 16]) {
      expect(nativeError(fault, 'DEV_GET', errno, '', null)).toMatchObject({ code, retry });
    }
  });

  test.each([
    [1, 'EPERM', 'PERMISSION_DENIED', 'after-fix'],
    [13, 'EACCES', 'PERMISSION_DENIED', 'after-fix'],
    [95, 'EOPNOTSUPP', 'NOT_SUPPORTED', 'never'],
    [524, 'ENOTSUPP', 'NOT_SUPPORTED', 'never'],
    [77, 'EBADFD', 'KERNEL_REFUSED', 'never'],
    [11, 'EAGAIN', 'RESOURCE_EXHAUSTED', 'later'],
    [12, 'ENOMEM', 'RESOURCE_EXHAUSTED', 'later'],
    [23, 'ENFILE', 'RESOURCE_EXHAUSTED', 'later'],
    [24, 'EMFILE', 'RESOURCE_EXHAUSTED', 'later'],
    [105, 'ENOBUFS', 'RESOURCE_EXHAUSTED', 'later'],
    [16, 'EBUSY', 'KERNEL_REFUSED', 'later'],
    [22, 'EINVAL', 'KERNEL_REFUSED', 'never'],
    [17, 'EEXIST', 'DEVICE_EXISTS', 'after-fix'],
    [19, 'ENODEV', 'DEVICE_NOT_FOUND', 'later'],
  ])('of errno %i (%s) is %s', (errno, name, code, retry) => {
    const error = nativeError(system, 'DEV_NEW', errno, '', null);
    expect(error).toMatchObject({ code, retry, errno: name, step: 'DEV_NEW' });
    expect(error.message).toMatch(/^DEV_NEW: /);
    expect(error.message).toContain(name);
  });

  test.each([
    ['DEV_CONFIG_GET', 'FEATURES_NOT_NEGOTIATED'],
    ['DEV_VSTATS_GET', 'FEATURES_NOT_NEGOTIATED'],
    ['DEV_GET', 'RESOURCE_EXHAUSTED'],
    ['DEV_DEL', 'RESOURCE_EXHAUSTED'],
    ['MGMTDEV_GET', 'RESOURCE_EXHAUSTED'],
    ['thread', 'RESOURCE_EXHAUSTED'],
  ])('of EAGAIN in %s is %s', (op, code) => {
    expect(nativeError(system, op, 11, '', null)).toMatchObject({ code, retry: 'later' });
  });

  test.each(['DEV_NEW', 'DEV_DEL', 'DEV_VSTATS_GET', 'DEV_ATTR_SET'])(
    'of EPERM in %s asks for CAP_NET_ADMIN',
    (op) => {
      const error = nativeError(system, op, 1, '', null);
      expect(error).toMatchObject({ code: 'PERMISSION_DENIED', retry: 'after-fix' });
      expect(error.message).toContain('CAP_NET_ADMIN in the initial user namespace');
    },
  );

  test.each([
    ['DEV_CONFIG_GET', 1],
    ['DEV_GET', 1],
    ['open sys/bus/vdpa', 1],
    ['open sys/bus/vdpa', 13],
    ['DEV_NEW', 13],
  ])('in %s of errno %i does not speak of a capability that is not asked for', (op, errno) => {
    const error = nativeError(system, op, errno, '', null);
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', retry: 'after-fix' });
    expect(error.message).not.toContain('CAP_');
  });

  test.each(['DEV_NEW', 'DEV_DEL', 'DEV_ATTR_SET'])(
    'leaves open whether %s was done only when the answer is not known',
    (op) => {
      const outcomes = [system, noFamily, timeout, lost, malformed, gone].map(
        (fault) => nativeError(fault, op, 0, '', null).outcome,
      );
      const known = 'unchanged';
      expect(outcomes).toEqual([known, known, 'unknown', 'unknown', 'unknown', known]);
    },
  );

  test.each(['DEV_GET', 'DEV_CONFIG_GET', 'DEV_VSTATS_GET', 'MGMTDEV_GET', 'snapshot'])(
    'knows that %s changes nothing, answered or not',
    (op) => {
      for (const fault of [system, noFamily, timeout, lost, malformed, gone, 99]) {
        expect(nativeError(fault, op, 0, '', null).outcome).toBe('unchanged');
      }
    },
  );

  test('carries what the kernel said, and which attribute it meant', () => {
    const error = nativeError(system, 'DEV_NEW', 22, 'vdpa: no', 24);
    expect(error).toBeInstanceOf(VdpaError);
    expect(error).toMatchObject({ extack: 'vdpa: no', attributeOffset: 24, outcome: 'unchanged' });
    expect(error.message).toBe('DEV_NEW: the kernel refused (EINVAL: vdpa: no)');
  });

  test('says nothing in brackets when there is nothing to say', () => {
    const error = nativeError(system, 'DEV_NEW', 0, '', null);
    expect(error.message).toBe('DEV_NEW: the kernel refused');
    expect(error).toMatchObject({
      errno: undefined,
      extack: undefined,
      attributeOffset: undefined,
    });
  });

  test('survives an errno that has no name', () => {
    expect(nativeError(system, 'DEV_NEW', 9999, '', null).message).toContain('9999');
    expect(nativeError(system, 'DEV_NEW', -5, '', null).errno).toBeUndefined();
  });
});

describe('a VdpaError', () => {
  test('says by default that nothing was changed and something is to be fixed', () => {
    expect(new VdpaError('CLOSED', 'words')).toMatchObject({
      name: 'VdpaError',
      message: 'words',
      outcome: 'unchanged',
      retry: 'after-fix',
      leftovers: [],
      step: undefined,
    });
  });

  test('has a cause only when there is one', () => {
    expect('cause' in new VdpaError('CLOSED', 'words')).toBe(false);
    expect(new VdpaError('CLOSED', 'words', { cause: 5 }).cause).toBe(5);
  });
});
