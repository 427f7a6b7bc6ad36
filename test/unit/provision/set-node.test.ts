import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setNode } from '../../../src/host/set-node.js';
import type { ResolvedCharDevice } from '../../../src/index.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-node-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A host whose device has this node, of the number of /dev/null. */
function hostWith(path: string) {
  const charDevice = { path, major: 1, minor: 3, nodeExists: true };
  return { resolve: () => ({ charDevice }) as unknown as ResolvedCharDevice };
}

test('a node that has become another device’s since it was looked up keeps its mode', async () => {
  const other = join(folder, 'vhost-vdpa-0');
  writeFileSync(other, '', { mode: 0o600 });
  await expect(
    setNode(hostWith(other), 'pci/0000:65:00.2', { uid: null, gid: null, mode: 0o666 }),
  ).rejects.toMatchObject({ code: 'DEVICE_CHANGED', retry: 'later' });
  expect(statSync(other).mode & 0o777).toBe(0o600);
  await expect(
    setNode(hostWith('/dev/zero'), 'pci/0000:65:00.2', { uid: null, gid: null, mode: 0o666 }),
  ).rejects.toMatchObject({ code: 'DEVICE_CHANGED' });
});

test('a node that is gone is told as that', async () => {
  await expect(
    setNode(hostWith(join(folder, 'gone')), 'pci/0000:65:00.2', { uid: 0, gid: null, mode: null }),
  ).rejects.toMatchObject({ code: 'DEVICE_CHANGED', errno: 'ENOENT' });
});
