import { describe, expect, test } from 'vitest';
import { ChangeReport } from '../../src/host/change-report.js';

/** What a report of these lines amounts to. */
function failure(...lines: readonly string[]) {
  const report = new ChangeReport();
  for (const line of lines) report.add(line);
  return report.failure('delete vdpa0');
}

const unbound = 'changed\tvdpa0 is bound to no driver';

describe('the report of a change', () => {
  test('that was done is no failure, and says how the device is bound', () => {
    const report = new ChangeReport();
    for (const line of ['step\tbind', 'bound\tvhost_vdpa\tvhost-vdpa-3\t511\t3\t2', 'done']) {
      expect(report.ended).toBe(false);
      report.add(line);
    }
    expect(report.ended).toBe(true);
    expect(report.failure('bind vdpa0')).toBeUndefined();
    expect(report.binding).toEqual({
      driver: 'vhost_vdpa',
      nodeName: 'vhost-vdpa-3',
      major: 511,
      minor: 3,
      nodeState: 2,
    });
  });

  test.each([
    ['busy', 'DEVICE_BUSY', 'later'],
    ['leaving', 'DEVICE_BUSY', 'later'],
    ['passed', 'DEVICE_BUSY', 'after-fix'],
    ['host-use', 'DEVICE_IN_HOST_USE', 'after-fix'],
    ['unmanaged', 'NOT_SUPPORTED', 'never'],
    ['gone', 'DEVICE_NOT_FOUND', 'later'],
    ['no-node', 'CHAR_DEVICE_MISSING', 'after-fix'],
    ['node-mismatch', 'CHAR_DEVICE_MISMATCH', 'after-fix'],
    ['reserved', 'DEVICE_RESERVED', 'after-fix'],
    ['changed', 'DEVICE_CHANGED', 'later'],
  ])('refused as %s is %s', (why, code, retry) => {
    expect(failure('look\topen', `refused\t${why}\tvdpa0\tdetail`)).toMatchObject({
      code,
      retry,
      step: 'open',
      outcome: 'unchanged',
      message: expect.stringMatching(/^vdpa0: /),
    });
  });

  test('of a holder that cannot be seen says so', () => {
    expect(failure('refused\tbusy\tvdpa0\t')?.message).toContain('can not be seen from here');
    expect(failure('refused\tbusy\tvdpa0\tqemu (pid 5)')?.message).toContain('by qemu (pid 5)');
  });

  test('that failed has the kernel’s errno and what stands', () => {
    const failed = 'failed\t0\t16\twrite bind\t';
    expect(failure(failed)).toMatchObject({ errno: 'EBUSY', outcome: 'unchanged', leftovers: [] });
    expect(failure(unbound, failed)).toMatchObject({
      outcome: 'partial',
      leftovers: ['vdpa0 is bound to no driver'],
    });
    const undone = unbound.replace('changed', 'undone');
    expect(failure(unbound, undone, failed)).toMatchObject({ outcome: 'undone', leftovers: [] });
    expect(failure('failed\t0\t1\tDEV_DEL\tno')).toMatchObject({
      code: 'PERMISSION_DENIED',
      extack: 'no',
      step: 'DEV_DEL',
    });
    // The kernel did not answer the delete: it may have deleted.
    expect(failure(unbound, 'failed\t2\t0\tDEV_DEL\t')).toMatchObject({ outcome: 'unknown' });
  });

  test.each([
    ['stuck', 'KERNEL_TIMEOUT'],
    ['died', 'CHANGE_INTERRUPTED'],
  ])('that ended as %s knows what the last line was about', (end, code) => {
    expect(failure('look\tDEV_GET', end)).toMatchObject({ code, outcome: 'unchanged' });
    expect(failure('step\tunbind', end)).toMatchObject({
      code,
      outcome: 'unknown',
      step: 'unbind',
    });
    expect(failure('step\tunbind', unbound, 'look\tmore', end)).toMatchObject({
      code,
      outcome: 'partial',
      leftovers: ['vdpa0 is bound to no driver'],
    });
  });

  test('without an end is one that died, or is stuck when its time is up', () => {
    const report = new ChangeReport();
    report.add('step\tDEV_DEL vdpa0');
    expect(report.failure('delete vdpa0')).toMatchObject({ code: 'CHANGE_INTERRUPTED' });
    expect(report.failure('delete vdpa0', 'stuck')).toMatchObject({ code: 'KERNEL_TIMEOUT' });
  });

  test('has the bytes of odd names back', () => {
    expect(failure('refused\tgone\ta\\x09b\\x5c\t')?.message).toMatch(/^a\tb\\: /);
  });
});
