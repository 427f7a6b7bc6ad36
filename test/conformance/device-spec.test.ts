import { expect, test } from 'vitest';
import { runVectors } from './run.js';

test('device_spec is decided as recorded', () => {
  const { passed, ...rest } = runVectors('device_spec');
  expect(rest).toEqual({ failed: 0, differences: [] });
  expect(passed).toBe(606);
});
