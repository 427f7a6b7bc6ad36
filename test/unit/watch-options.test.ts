import { describe, expect, test } from 'vitest';
import { parseWatchOptions } from '../../src/host/parse-options.js';
import { defaultWatchOptions } from '../../src/host/watch-options.js';
import { VdpaHost } from '../../src/index.js';

describe("a watch's options", () => {
  test('have the defaults that a watch without options has', () => {
    expect(parseWatchOptions({})).toEqual({ ...defaultWatchOptions, signal: undefined });
    expect(
      parseWatchOptions({ signal: undefined, rereadMs: undefined, receiveBufferBytes: undefined }),
    ).toEqual(defaultWatchOptions);
  });

  test('are taken as they are', () => {
    const { signal } = new AbortController();
    const options = { signal, rereadMs: 0, healthMs: 1000, receiveBufferBytes: 1 };
    expect(parseWatchOptions(options)).toEqual(options);
    expect(parseWatchOptions(options).signal).toBe(signal);
  });

  test.each<[string, unknown]>([
    ['reReadMs', { reReadMs: 1 }],
    ['rereadMs', { rereadMs: -1 }],
    ['rereadMs', { rereadMs: 2 ** 31 }], // as a timer: at once
    ['rereadMs', { rereadMs: 0.5 }],
    ['rereadMs', { rereadMs: null }],
    ['healthMs', { healthMs: -1 }],
    ['healthMs', { healthMs: 86_400_001 }],
    ['receiveBufferBytes', { receiveBufferBytes: 0 }],
    ['receiveBufferBytes', { receiveBufferBytes: 2 ** 30 + 1 }],
    ['receiveBufferBytes', { receiveBufferBytes: '16 MiB' }],
    ['signal', { signal: { aborted: false } }],
    ['object', null],
    ['object', []],
  ])('name %s when they are wrong, before anything is opened', async (name, options) => {
    await using host = await VdpaHost.open();
    const words = new RegExp(`^VdpaHost\\.watch: .*${name}`);
    await expect(host.watch(options as never)).rejects.toThrow(TypeError);
    await expect(host.watch(options as never)).rejects.toThrow(words);
  });

  test('are all named at once', () => {
    expect(() => parseWatchOptions({ rereadMs: '', signal: 1, extra: 2 })).toThrow(
      /signal.*rereadMs.*extra/,
    );
  });
});
