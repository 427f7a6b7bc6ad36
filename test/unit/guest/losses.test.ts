import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { throughLosses, whileThere } from '../../../src/guest/losses.js';

const { signal } = new AbortController();

/** Fails with each in turn, then is done. */
function failing(...errors: readonly VdpaError[]) {
  const left = [...errors];
  return async (): Promise<string> => {
    const error = left.shift();
    if (error !== undefined) throw error;
    return 'done';
  };
}

const unreachable = (step: string | undefined, errno: string): VdpaError =>
  new VdpaError('GUEST_UNREACHABLE', 'lost', { step, errno });

describe('what is right to repeat', () => {
  test.each([
    ['a connection that broke', undefined, 'ECONNRESET'],
    ['one that the hypervisor had no time for', 'connect to /vm1', 'EAGAIN'],
    // As of a QEMU that ends while somebody connects: the next attempt knows.
    ['one that broke while it was made', 'connect to /vm1', 'ECONNRESET'],
  ])('is done again after %s', async (_, step, errno) => {
    expect(await throughLosses(signal, failing(unreachable(step, errno)))).toBe('done');
  });

  test('is not done again when nobody can be connected to', async () => {
    const none = unreachable('connect to /vm1', 'EMFILE');
    await expect(throughLosses(signal, failing(none))).rejects.toBe(none);
  });

  test('is over when the guest has gone', async () => {
    const work = failing(
      unreachable('connect to /vm1', 'ECONNRESET'),
      new VdpaError('GUEST_NOT_FOUND', 'gone'),
    );
    expect(await whileThere(signal, async () => void (await work()))).toBe(false);
  });
});
