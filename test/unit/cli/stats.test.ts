import { describe, expect, it } from 'vitest';
import type { VdpaName } from '../../../src/index.js';
import { fakeHost } from './support/fake-host.js';
import { runCli } from './support/run-cli.js';

describe('stats', () => {
  it('has one line per virtqueue, with the counters by their own names', async () => {
    const { stdout, code } = await runCli(['stats', 'vdpa0'], { host: fakeHost() });
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'QUEUE  RECEIVED_DESC  COMPLETED_DESC',
      '0      4294967296     4294967290',
      '1      4294967297     4294967290',
      '',
    ]);
  });

  it('leaves the place of a counter empty that a queue has not', async () => {
    const queue = (queueIndex: number, name: string) => ({
      name: 'vdpa0' as VdpaName,
      queueIndex,
      negotiatedFeatures: null,
      counters: [{ name, value: 1n }],
    });
    const host = fakeHost({ stats: () => [queue(0, 'a'), queue(4, 'b')] });
    const { stdout } = await runCli(['stats', 'vdpa0'], { host });
    expect(stdout.split('\n')).toEqual(['QUEUE  A  B', '0      1  -', '4      -  1', '']);
  });

  it('is told what no name is', async () => {
    const { code, stderr } = await runCli(['stats', 'a/b'], { host: fakeHost() });
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining("'a/b' is no name of a vDPA device"),
    ]);
  });
});
