import { describe, expect, test, vi } from 'vitest';
import { queueStats } from '../../src/host/queue-stats.js';
import { VdpaError, type VdpaName, type VendorStats } from '../../src/index.js';

const stats = (queueIndex: number): VendorStats => ({
  name: 'vdpa0' as VdpaName,
  queueIndex,
  negotiatedFeatures: null,
  counters: [],
});
const refused = (queue: number) => new VdpaError('KERNEL_REFUSED', `no queue ${queue}`);

describe('the counters of all virtqueues', () => {
  test('leave out a queue that the driver refuses', async () => {
    const ask = async (queue: number) => {
      if (queue === 1) throw refused(1);
      return stats(queue);
    };
    expect(await queueStats(3, ask)).toEqual([stats(0), stats(2)]);
  });

  test('are the first refusal when the driver refuses all', async () => {
    const ask = vi.fn(async (queue: number) => {
      throw refused(queue);
    });
    await expect(queueStats(3, ask)).rejects.toThrow('no queue 0');
    expect(ask).toHaveBeenCalledTimes(3);
  });

  test('end with what is no refusal of a queue', async () => {
    const ask = vi.fn(async (queue: number) => {
      if (queue === 1) throw new VdpaError('DEVICE_NOT_FOUND', 'gone');
      return stats(queue);
    });
    await expect(queueStats(3, ask)).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
    expect(ask).toHaveBeenCalledTimes(2);
  });
});
