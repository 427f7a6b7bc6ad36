import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readHostCells } from '../../src/host/host-cells.js';
import { readConfig } from '../../src/lifecycle/config.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function written(content: unknown): string {
  const file = join(folder, 'config.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

describe('a configuration', () => {
  test('has defaults, and a store beside it', async () => {
    const path = written({ deviceSpec: [{}], store: 'claims.db' });
    expect(await readConfig(path)).toEqual({
      path,
      deviceSpec: [{}],
      store: join(folder, 'claims.db'),
      reportInPlacement: false,
      allowSoftwareDevices: false,
      retypeGraceMs: 10_000,
      numa: { policy: null },
      guests: { qmp: null, libvirt: null },
    });
  });

  test('is that of the option, else of the environment, else the default', async () => {
    const path = written({ deviceSpec: [], store: '/s' });
    expect((await readConfig(null, { VDPA_HOST_CONFIG: path })).store).toBe('/s');
    await expect(readConfig(null, { VDPA_HOST_CONFIG: '/nowhere' })).rejects.toMatchObject({
      code: 'CONFIG_MISSING',
      message: expect.stringContaining('/nowhere'),
    });
    await expect(readConfig(null, {})).rejects.toThrow('/etc/vdpa-host/config.json');
    expect((await readConfig(path, { VDPA_HOST_CONFIG: '/nowhere' })).path).toBe(path);
  });

  test('that is a folder cannot be read', async () => {
    await expect(readConfig(folder)).rejects.toMatchObject({
      code: 'CONFIG_MISSING',
      errno: 'EISDIR',
    });
  });

  test.each([
    ['{', 'is no JSON'],
    [[], 'expected object'],
    [{ store: '/s' }, 'deviceSpec: '],
    [{ deviceSpec: [] }, 'store: '],
    [{ deviceSpec: {}, store: '/s' }, 'deviceSpec: '],
    [{ deviceSpec: [], store: '/s', stores: 1 }, '"stores"'],
    [{ deviceSpec: [], store: '/s', numa: { policy: 'near' } }, 'numa.policy: '],
    [{ deviceSpec: [], store: '/s', retypeGraceMs: -1 }, 'retypeGraceMs: '],
  ])('%j is refused by the key', async (content, words) => {
    const file = written(content);
    await expect(readConfig(file)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(words),
    });
    await expect(readConfig(file)).rejects.toThrow(`${file}: `);
  });
});

describe('the host’s NUMA nodes', () => {
  const file = (path: string, content: string): void => {
    const full = join(folder, 'sys/devices/system', path);
    mkdirSync(join(full, '..'), { recursive: true });
    writeFileSync(full, content);
  };

  test('are on the socket of their first processor', async () => {
    file('node/node0/cpulist', '0-3,8\n');
    file('node/node10/cpulist', '4-7\n');
    file('node/node2/cpulist', '\n');
    file('node/possible', '0-10\n');
    file('cpu/cpu0/topology/physical_package_id', '0\n');
    file('cpu/cpu4/topology/physical_package_id', '1\n');
    expect(await readHostCells(folder)).toEqual([
      { id: 0, socket: 0 },
      { id: 2, socket: null },
      { id: 10, socket: 1 },
    ]);
  });

  test('are not known where the machine has none, or no sockets', async () => {
    expect(await readHostCells(folder)).toBeNull();
    file('node/node0/cpulist', '0\n');
    file('cpu/cpu0/topology/physical_package_id', '-1\n');
    expect(await readHostCells(folder)).toEqual([{ id: 0, socket: null }]);
  });
});
