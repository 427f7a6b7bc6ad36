import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cacheDir } from '../../lab/cache.mjs';
import { featureNames } from '../../src/host/features.js';

// The names of feature bits, held against the kernel's own headers: those that every C++ compiler
// brings along (linux-libc-dev), and those of the lab's kernel, when it has been built here.

const installed = '/usr/include/linux';

function headerFolders(): string[] {
  const cache = cacheDir();
  const kernels = existsSync(cache)
    ? readdirSync(cache).filter((name) => /^kernel-[^.]+-\d[^/]*$/.test(name))
    : [];
  return [
    installed,
    ...kernels
      .map((name) => join(cache, name, 'source', 'include', 'uapi', 'linux'))
      .filter((folder) => existsSync(join(folder, 'virtio_net.h'))),
  ];
}

/** Every bit that a header defines, by our way of naming: without `VIRTIO_NET_F_` and the like. */
function definitions(folder: string, header: string): [string, number][] {
  const text = readFileSync(join(folder, `virtio_${header}.h`), 'utf8');
  const lines = text.matchAll(/^#define\s+VIRTIO_(NET_|BLK_|RING_)?F_(\w+)\s+(\d+)\b/gm);
  return [...lines].map(([, part, name, bit]) => [
    `${part === 'RING_' ? part : ''}${name}`,
    Number(bit),
  ]);
}

const headers = [
  ['net', ['net'], 28],
  ['blk', ['block'], 14],
  // The transport's bits are the same in every class.
  ['config', ['net', 'block', 'virtio-20', null], 9],
  ['ring', ['net', 'block', 'virtio-20', null], 2],
] as const;

describe.each(headerFolders())('the names of feature bits in %s', (folder) => {
  test.each(headers)('are those of virtio_%s.h, bit for bit', (header, classes, least) => {
    const defined = definitions(folder, header);
    // A header that this test cannot read would agree with anything.
    expect(defined.length).toBeGreaterThanOrEqual(least);
    for (const kind of classes) {
      const ours = defined.map(([, bit]) => [featureNames(1n << BigInt(bit), kind).join(), bit]);
      expect(ours).toEqual(defined);
    }
  });
});

test('bits that headers came to define only lately have the names of the specification', () => {
  const nameOf = (bit: number, kind: 'net' | 'block' | null): string | undefined =>
    featureNames(1n << BigInt(bit), kind)[0];
  expect([50, 52, 54, 55, 56, 59].map((bit) => nameOf(bit, 'net'))).toEqual([
    'DEVICE_STATS',
    'VQ_NOTF_COAL',
    'GUEST_USO4',
    'GUEST_USO6',
    'HOST_USO',
    'GUEST_HDRLEN',
  ]);
  expect([15, 17].map((bit) => nameOf(bit, 'block'))).toEqual(['LIFETIME', 'ZONED']);
  expect([38, 39, 41].map((bit) => nameOf(bit, null))).toEqual([
    'NOTIFICATION_DATA',
    'NOTIF_CONFIG_DATA',
    'ADMIN_VQ',
  ]);
});
