import { expect, test } from 'vitest';
import { runVectors } from './run.js';

test('the transitions of a device and its family are as recorded', () => {
  const { passed, ...rest } = runVectors('device');
  expect(rest).toEqual({ failed: 0, differences: [] });
  expect(passed).toBe(140);
});
