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
    [gone, 'DEVICE_NOT_FOUND', 'never'],
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
    [11, 'EAGAIN', 'FEATURES_NOT_NEGOTIATED', 'later'],
    [16, 'EBUSY', 'KERNEL_REFUSED', 'later'],
    [22, 'EINVAL', 'KERNEL_REFUSED', 'never'],
    [17, 'EEXIST', 'KERNEL_REFUSED', 'never'],
  ])('of errno %i (%s) is %s', (errno, name, code, retry) => {
    const error = nativeError(system, 'DEV_NEW', errno, '', null);
    expect(error).toMatchObject({ code, retry, errno: name, step: 'DEV_NEW' });
    expect(error.message).toMatch(/^DEV_NEW: /);
    expect(error.message).toContain(name);
  });

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
    expect(nativeError(system, 'DEV_NEW', 524, '', null).message).toContain('524');
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
