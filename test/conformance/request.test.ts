import { expect, test } from 'vitest';
import { runVectors } from './run.js';

test('requests are decided as recorded', () => {
  const { passed, ...rest } = runVectors('request');
  expect(rest).toEqual({ failed: 0, differences: [] });
  expect(passed).toBe(269);
});
