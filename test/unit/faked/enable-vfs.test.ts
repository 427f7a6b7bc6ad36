import { expect, test, vi } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import type { Connection } from '../../../src/host/connection.js';
import { enableVfs } from '../../../src/host/enable-vfs.js';
import type { PciAddress } from '../../../src/index.js';

// The change itself is the lab's to show; here it is done, and what comes after it fails.
const runHelper = vi.hoisted(() => vi.fn());
vi.mock('../../../src/host/helper.js', () => ({ runHelper }));

const pf = '0000:65:00.0' as PciAddress;

test('VFs that were made but cannot be read are not said to be unchanged', async () => {
  let readings = 0;
  const limits: unknown[] = [];
  const connection = {
    native: { exists: () => true, readText: () => '8' },
    timeoutMs: 5000,
    call: async (_: string, __: unknown, { timeoutMs }: { timeoutMs: number }) => {
      limits.push(timeoutMs);
      if (++readings === 1) return { vfs: [] };
      throw new VdpaError('KERNEL_TIMEOUT', 'no answer', { retry: 'later' });
    },
  } as unknown as Connection;
  await expect(enableVfs(connection, pf, 4, { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'KERNEL_TIMEOUT',
    outcome: 'partial',
    leftovers: [`${pf} has 4 VFs`],
  });
  expect(runHelper).toHaveBeenCalledOnce();
  // What the change has used up of its time is not taken from the reading.
  expect(limits[1]).toBe(5000);
});

test('VFs whose number is not the expected one any more stay', async () => {
  runHelper.mockClear();
  const vfs = [0, 1].map((index) => ({ pfAddress: pf, vfIndex: index }));
  const connection = {
    native: { exists: () => true, readText: () => '8' },
    timeoutMs: 5000,
    call: async () => ({ vfs }),
  } as unknown as Connection;
  // Also when it has been brought about already: whoever did is making devices there.
  for (const [count, from] of [
    [0, 3],
    [4, 0],
    [2, 4],
  ] as const) {
    await expect(enableVfs(connection, pf, count, { from, replace: true })).rejects.toMatchObject({
      code: 'DEVICE_CHANGED',
      outcome: 'unchanged',
      retry: 'later',
    });
  }
  expect(runHelper).not.toHaveBeenCalled();
  await enableVfs(connection, pf, 4, { from: 2, replace: true });
  expect(runHelper).toHaveBeenCalledOnce();
});
