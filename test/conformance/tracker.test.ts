import { expect, test } from 'vitest';
import { runVectors } from './run.js';

test('records, pools and claims are as recorded, step by step', () => {
  const { passed, ...rest } = runVectors('tracker');
  expect(rest).toEqual({ failed: 0, differences: [] });
  expect(passed).toBe(1813);
});
