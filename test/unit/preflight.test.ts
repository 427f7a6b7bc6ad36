import { describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../src/host/connection.js';
import { inventoryOf } from '../../src/host/inventory.js';
import { type FindingCode, preflight } from '../../src/host/preflight.js';
import type { NativeHost } from '../../src/native.js';
import type { SnapshotRow } from '../../src/rows.js';
import { finish } from '../../src/turns.js';
import { busDeviceRow, snapshotRow, vdpaDeviceRow } from './support/rows.js';

const wholeMap = '         0          0 4294967295';
const capable = 'Name:\tnode\nCapEff:\t000001ffffffffff\n';
const powerless = 'Name:\tnode\nCapEff:\t0000000000000fff\n';

/** A sound, live host run by root. */
const sound: Readonly<Record<string, string>> = {
  'proc/sys/kernel/osrelease': '6.12.9',
  'proc/self/status': capable,
  'proc/self/uid_map': wholeMap,
};

interface Machine {
  readonly files?: Readonly<Record<string, string | null>>;
  readonly live?: boolean;
  /** Of a file that says so of itself. */
  readonly capture?: boolean;
  readonly snapshot?: SnapshotRow;
}

async function checked({
  files = {},
  live = true,
  capture = false,
  snapshot = snapshotRow(),
}: Machine) {
  const all: Record<string, string | null> = { ...sound, ...files };
  const readText = vi.fn((path: string) => all[path] ?? null);
  const native = {
    exists: (path: string) => !path.endsWith('/virtio_vdpa'),
    readText,
  } as unknown as NativeHost;
  const connection = {
    live,
    capture: capture ? {} : null,
    inventory: async () => finish(inventoryOf(snapshot)),
    call: (_step: string, start: (native: NativeHost, ms: number) => unknown) => start(native, 1),
  } as unknown as Connection;
  const findings = await preflight(connection);
  return {
    findings,
    of: (code: FindingCode) => findings.find((finding) => finding.code === code),
    paths: readText.mock.calls.map(([path]) => path),
  };
}

describe('the privilege of this process', () => {
  test.each([
    ['as the kernel pads it', wholeMap],
    ['without padding', '0 0 4294967295'],
    ['which a kernel without user namespaces lacks', null],
  ])('is enough with the capability and the whole range of users, %s', async (_, uidMap) => {
    const { of } = await checked({ files: { 'proc/self/uid_map': uidMap } });
    expect(of('privilege')).toMatchObject({ severity: 'ok', cure: null });
  });

  test.each([
    [
      'of a rootless container',
      '         0       1000          1\n         1     100000      65536',
    ],
    ['of a part of the range', '0 0 65536'],
    ['shifted as a whole', '0 100000 4294967295'],
    ['in two pieces', '0 0 4294967294\n4294967294 1 1'],
    ['that nobody has written yet', ''],
  ])('is not in a user namespace with a map %s', async (_, uidMap) => {
    const { of } = await checked({ files: { 'proc/self/uid_map': uidMap } });
    expect(of('privilege')).toEqual({
      code: 'privilege',
      severity: 'warning',
      message: expect.stringMatching(/^CAP_NET_ADMIN only in a user namespace: listing works/),
      cure: 'run as root of the host',
    });
  });

  test('is not without the capability', async () => {
    const { of } = await checked({ files: { 'proc/self/status': powerless } });
    expect(of('privilege')).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/^without CAP_NET_ADMIN: listing works/),
    });
  });

  test('is unknown where /proc does not tell', async () => {
    const { of } = await checked({ files: { 'proc/self/status': null } });
    expect(of('privilege')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('unknown'),
    });
  });

  test('is no matter of a captured tree, whose files of a process are not looked at', async () => {
    const live = await checked({});
    const captured = await checked({ live: false });
    expect(captured.of('privilege')).toBeUndefined();
    expect(captured.findings.map(({ code }) => code)).toEqual(
      live.findings.map(({ code }) => code).filter((code) => code !== 'privilege'),
    );
    expect(captured.paths.filter((path) => path.startsWith('proc/self'))).toEqual([]);
  });
});

describe('the privilege of the process that made a capture', () => {
  test('is told like that of this process', async () => {
    for (const status of [capable, powerless]) {
      const files = { 'proc/self/status': status };
      const { findings } = await checked({ live: false, capture: true, files });
      expect(findings).toEqual((await checked({ files })).findings);
    }
  });

  test('is no matter of one that was made of a captured tree', async () => {
    const files = { 'proc/self/status': null };
    const { of } = await checked({ live: false, capture: true, files });
    expect(of('privilege')).toBeUndefined();
  });
});

describe('the nodes of char devices', () => {
  const hostWith = (...nodeStates: readonly number[]) =>
    snapshotRow({
      vdpaDevices: nodeStates.map((_, index) => vdpaDeviceRow({ name: `vdpa${index}` })),
      busDevices: nodeStates.map((nodeState, index) =>
        busDeviceRow({ name: `vdpa${index}`, nodeState }),
      ),
    });

  test('are in order when each is there', async () => {
    const { of } = await checked({ snapshot: hostWith(2, 2) });
    expect(of('char-device-nodes')).toMatchObject({ severity: 'ok', cure: null });
  });

  test('are not when one is missing or another', async () => {
    const { of } = await checked({ snapshot: hostWith(0, 2, 1) });
    expect(of('char-device-nodes')).toMatchObject({
      severity: 'error',
      message: 'no node below /dev, or a wrong one, for vdpa0, vdpa2',
    });
  });
});
