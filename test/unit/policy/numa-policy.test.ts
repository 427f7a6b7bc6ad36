import { describe, expect, test } from 'vitest';
import { instanceNumaPolicy } from '../../../src/policy/numa-policy.js';

describe('the NUMA policy of an instance', () => {
  test('is that of its flavor or image', () => {
    expect(instanceNumaPolicy('required', null)).toBe('required');
    expect(instanceNumaPolicy(undefined, 'preferred')).toBe('preferred');
    expect(instanceNumaPolicy('socket', 'socket')).toBe('socket');
    expect(instanceNumaPolicy(null, '')).toBeNull();
  });

  test('is refused when the two differ, or when there is no such policy', () => {
    expect(() => instanceNumaPolicy('required', 'preferred')).toThrow(
      expect.objectContaining({ code: 'NUMA_POLICY_CONFLICT' }),
    );
    for (const [flavor, image] of [
      ['near', null],
      [null, 'near'],
    ] as const) {
      expect(() => instanceNumaPolicy(flavor, image)).toThrow(
        expect.objectContaining({
          code: 'NUMA_POLICY_INVALID',
          message: expect.stringMatching(
            /"near" is no NUMA policy: expected required, socket, preferred, legacy$/,
          ),
        }),
      );
    }
  });
});
