import { describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../../src/host/connection.js';
import type { FindingCode } from '../../../src/host/finding.js';
import type { GuestSoftware } from '../../../src/host/guest-software.js';
import { inventoryOf } from '../../../src/host/inventory.js';
import type { MachineFacts } from '../../../src/host/machine-facts.js';
import { preflight } from '../../../src/host/preflight.js';
import type { NativeHost } from '../../../src/native.js';
import type { SnapshotRow } from '../../../src/rows.js';
import { finish } from '../../../src/turns.js';
import { busDeviceRow, snapshotRow, vdpaDeviceRow } from '../support/rows.js';

const wholeMap = '         0          0 4294967295';
const capable = 'Name:\tnode\nCapEff:\t000001ffffffffff\n';
const powerless = 'Name:\tnode\nCapEff:\t0000000000000fff\n';

/** A sound, live host run by root. */
const sound: Readonly<Record<string, string>> = {
  'proc/sys/kernel/osrelease': '6.12.9',
  'proc/self/status': capable,
  'proc/self/uid_map': wholeMap,
  'proc/self/limits': limits('unlimited'),
};

function limits(soft: string): string {
  return (
    'Limit                     Soft Limit           Hard Limit           Units     \n' +
    'Max processes             95000                95000                processes \n' +
    `Max locked memory         ${soft.padEnd(20)} unlimited            bytes     \n`
  );
}

const software: GuestSoftware = {
  qemu: { name: 'qemu-system-x86_64', version: '10.0.2', timedOut: false },
  libvirt: { name: 'libvirtd', version: '11.3.0', timedOut: false },
};
vi.mock('../../../src/host/guest-software.js', () => ({ guestSoftware: vi.fn() }));

interface Machine {
  readonly files?: Readonly<Record<string, string | null>>;
  readonly live?: boolean;
  /** Of a file that says so of itself. */
  readonly capture?: boolean;
  readonly snapshot?: SnapshotRow;
  /** Nodes that this process may not open. */
  readonly denied?: readonly string[];
  /** What a capture carries. */
  readonly facts?: MachineFacts | undefined;
  readonly guestSoftware?: GuestSoftware;
}

async function checked({
  files = {},
  live = true,
  capture = false,
  snapshot = snapshotRow(),
  denied = [],
  facts,
  guestSoftware = software,
}: Machine) {
  const programs = vi.mocked((await import('../../../src/host/guest-software.js')).guestSoftware);
  programs.mockReset().mockResolvedValue(guestSoftware);
  const all: Record<string, string | null> = { ...sound, ...files };
  const readText = vi.fn((path: string) => all[path] ?? null);
  const mayOpen = vi.fn((path: string) => !denied.includes(path));
  const native = {
    mayOpen,
    exists: (path: string) => !path.endsWith('/virtio_vdpa'),
    readText,
  } as unknown as NativeHost;
  const connection = {
    live,
    capture: capture ? {} : null,
    facts,
    beside: (work: () => unknown) => work(),
    inventory: async () => finish(inventoryOf(snapshot)),
    call: (_step: string, start: (native: NativeHost, ms: number) => unknown) => start(native, 1),
  } as unknown as Connection;
  const findings = await preflight(connection);
  return {
    findings,
    of: (code: FindingCode) => findings.find((finding) => finding.code === code),
    paths: readText.mock.calls.map(([path]) => path),
    asked: mayOpen.mock.calls.map(([path]) => path),
    ranPrograms: programs.mock.calls.length > 0,
    facts: connection.facts,
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
    const ofMachine = ['privilege', 'memory-lock', 'node-permissions'];
    const live = await checked({});
    const captured = await checked({ live: false });
    expect(captured.findings.map(({ code }) => code)).toEqual(
      live.findings
        .map(({ code }) => code)
        .filter((code) => ![...ofMachine, 'qemu-version', 'libvirt-version'].includes(code)),
    );
    expect(captured.paths.filter((path) => path.startsWith('proc/self'))).toEqual([]);
    expect(captured).toMatchObject({ asked: [], ranPrograms: false });
  });
});

describe('a capture', () => {
  test('says of the process that made it what that was told itself', async () => {
    for (const status of [capable, powerless]) {
      const files = { 'proc/self/status': status, 'proc/self/limits': limits('65536') };
      const snapshot = hostWith(2, 2);
      const denied = ['dev/vhost-vdpa-1'];
      const live = await checked({ files, snapshot, denied });
      const facts = live.facts;
      const replay = await checked({ live: false, capture: true, files, snapshot, facts });
      expect(replay.findings).toEqual(live.findings);
      expect(replay).toMatchObject({ asked: [], ranPrograms: false });
    }
  });

  test('that is older says nothing of what it does not have', async () => {
    const files = { 'proc/self/limits': null };
    const { findings } = await checked({ live: false, capture: true, files });
    const codes = findings.map(({ code }) => code);
    expect(codes).toContain('privilege');
    for (const code of ['memory-lock', 'node-permissions', 'qemu-version', 'libvirt-version']) {
      expect(codes).not.toContain(code);
    }
  });

  test('that was made of a captured tree says nothing of a process', async () => {
    const files = { 'proc/self/status': null };
    const { of } = await checked({ live: false, capture: true, files });
    expect(of('privilege')).toBeUndefined();
  });
});

describe('the memory that may be locked', () => {
  test.each([
    ['8388608', '8 MiB of memory'],
    ['65536', '0.06 MiB of memory'],
    ['0', '0 MiB of memory'],
  ])('is told when it is limited to %s bytes', async (soft, message) => {
    const { of } = await checked({ files: { 'proc/self/limits': limits(soft) } });
    expect(of('memory-lock')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining(message),
      cure: expect.stringContaining('LimitMEMLOCK=infinity'),
    });
  });

  test('is enough without a limit, and unknown where /proc does not tell', async () => {
    expect((await checked({})).of('memory-lock')).toMatchObject({ severity: 'ok', cure: null });
    for (const text of [null, '', limits('many')]) {
      const { of } = await checked({ files: { 'proc/self/limits': text } });
      expect(of('memory-lock')).toMatchObject({
        severity: 'warning',
        message: expect.stringContaining('unknown'),
      });
    }
  });
});

/** Devices with nodes in these states (NodeState of the core). */
const hostWith = (...nodeStates: readonly number[]) =>
  snapshotRow({
    vdpaDevices: nodeStates.map((_, index) => vdpaDeviceRow({ name: `vdpa${index}` })),
    busDevices: nodeStates.map((nodeState, index) =>
      busDeviceRow({ name: `vdpa${index}`, charDeviceName: `vhost-vdpa-${index}`, nodeState }),
    ),
  });

describe('the permission to open nodes', () => {
  test('is asked of those that are there, and is enough when none is refused', async () => {
    const { of, asked } = await checked({ snapshot: hostWith(2, 0, 1, 2) });
    expect(asked).toEqual(['dev/vhost-vdpa-0', 'dev/vhost-vdpa-3']);
    expect(of('node-permissions')).toMatchObject({ severity: 'ok', cure: null });
  });

  test.each([
    [[0, 2], '/dev/vhost-vdpa-0, /dev/vhost-vdpa-2'],
    [[0, 1, 3], '/dev/vhost-vdpa-0, /dev/vhost-vdpa-1, /dev/vhost-vdpa-3'],
    [[0, 1, 2, 3, 4], '/dev/vhost-vdpa-0, /dev/vhost-vdpa-1, /dev/vhost-vdpa-2 and 2 more'],
  ])('is missing for the nodes %j', async (numbers, names) => {
    const denied = numbers.map((number) => `dev/vhost-vdpa-${number}`);
    const { of } = await checked({ snapshot: hostWith(2, 2, 2, 2, 2), denied });
    expect(of('node-permissions')).toEqual({
      code: 'node-permissions',
      severity: 'warning',
      message: `this process may not open ${names}`,
      cure: expect.stringContaining('vdpa-host provision'),
    });
  });
});

describe('the programs that run guests', () => {
  const found = (name: string, version: string | null, timedOut = false) => ({
    name,
    version,
    timedOut,
  });

  test.each([
    ['5.0.1', 'error'],
    ['4.2', 'error'],
    ['5.1', 'ok'],
    ['5.1.0', 'ok'],
    ['5.10', 'ok'],
    ['10.0.2', 'ok'],
  ])('have QEMU %s, which is %s', async (version, severity) => {
    const qemu = found('qemu-kvm', version);
    const { of } = await checked({ guestSoftware: { ...software, qemu } });
    expect(of('qemu-version')).toMatchObject({
      severity,
      message: expect.stringContaining(`QEMU ${version} (qemu-kvm)`),
      cure: severity === 'ok' ? null : 'install QEMU 5.1 or later',
    });
  });

  test.each([
    ['6.8.0', 'error'],
    ['6.8.99', 'error'],
    ['6.9.0', 'ok'],
    ['6.10.0', 'ok'],
    ['11.3.0', 'ok'],
  ])('have libvirt %s, which is %s', async (version, severity) => {
    const libvirt = found('virtqemud', version);
    const { of } = await checked({ guestSoftware: { ...software, libvirt } });
    expect(of('libvirt-version')).toMatchObject({
      severity,
      cure: severity === 'ok' ? null : 'install libvirt 6.9.0 or later',
    });
  });

  test('are missed when there is no QEMU, but not when there is no libvirt', async () => {
    const { of } = await checked({ guestSoftware: { qemu: null, libvirt: null } });
    expect(of('qemu-version')).toMatchObject({
      severity: 'warning',
      cure: 'install QEMU 5.1 or later',
    });
    expect(of('libvirt-version')).toMatchObject({
      severity: 'ok',
      message: expect.stringContaining('QMP'),
    });
  });

  test('are of unknown version when they do not end, or tell none', async () => {
    const guestSoftware = {
      qemu: found('qemu-kvm', null, true),
      libvirt: found('libvirtd', null),
    };
    const { of } = await checked({ guestSoftware });
    expect(of('qemu-version')).toMatchObject({
      severity: 'warning',
      message: 'qemu-kvm --version does not end: the version of QEMU is unknown',
    });
    expect(of('libvirt-version')).toMatchObject({
      severity: 'warning',
      message: 'libvirtd --version tells no version of libvirt',
    });
  });
});

describe('the nodes of char devices', () => {
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
