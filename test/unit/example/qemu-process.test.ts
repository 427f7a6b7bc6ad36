import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isStill, processWith, startTime } from '../../../examples/compute-agent/qemu-process.js';

test('a process is known by its number, its beginning and its argument, until it has ended', async () => {
  const argument = `marker ${process.pid}`;
  const child = spawn('sleep', ['1000'], { argv0: argument });
  const pid = child.pid ?? 0;
  await expect.poll(async () => await processWith(argument)).toBe(pid);
  const since = (await startTime(pid)) ?? expect.fail();
  expect(await isStill(pid, since, argument)).toBe(true);
  expect(await isStill(pid, `${since}0`, argument)).toBe(false);
  expect(await isStill(pid, since, 'another')).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await startTime(pid)).toBeNull();
  expect(await isStill(pid, since, argument)).toBe(false);
  expect(await processWith(argument)).toBeNull();
});
