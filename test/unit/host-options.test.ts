import { describe, expect, test } from 'vitest';
import { defaultHostOptions } from '../../src/host/host-options.js';
import { parseHostOptions } from '../../src/host/parse-options.js';
import { VdpaHost } from '../../src/index.js';

describe("a host's options", () => {
  test('have the defaults that a host without options has', () => {
    expect(parseHostOptions({})).toEqual(defaultHostOptions);
    expect(parseHostOptions({ root: undefined, timeoutMs: undefined })).toEqual(defaultHostOptions);
  });

  test('are taken as they are', () => {
    expect(parseHostOptions({ root: '/captured', timeoutMs: 600_000 })).toEqual({
      root: '/captured',
      timeoutMs: 600_000,
    });
  });

  test.each<[string, unknown]>([
    ['timeoutMS', { timeoutMS: 1 }],
    ['root', { root: '' }],
    ['root', { root: 5 }],
    ['root', { root: null }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: 600_001 }],
    ['timeoutMs', { timeoutMs: 1.5 }],
    ['timeoutMs', { timeoutMs: '100' }],
    ['timeoutMs', { timeoutMs: Number.NaN }],
    ['timeoutMs', { timeoutMs: Number.POSITIVE_INFINITY }],
    ['object', 'text'],
    ['object', ['/']],
  ])('name %s when they are wrong', async (name, options) => {
    await expect(VdpaHost.open(options as never)).rejects.toThrow(TypeError);
    await expect(VdpaHost.open(options as never)).rejects.toThrow(
      new RegExp(`^VdpaHost\\.open: .*${name}`),
    );
  });

  test.each<[string, unknown]>([
    ['a number', 5],
    ['true', true],
    ['a list', []],
    ['a function', () => {}],
    ['null', null],
    ['a symbol', Symbol('x')],
  ])('are not %s, which has no options in it', async (_, options) => {
    await expect(VdpaHost.open(options as never)).rejects.toThrow(TypeError);
  });

  test('are all named at once', () => {
    expect(() => parseHostOptions({ root: 1, timeoutMs: -1, extra: 2 })).toThrow(
      /root.*timeoutMs.*extra/,
    );
  });
});
