import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type GuestSoftware,
  guestSoftware,
  programFolders,
} from '../../src/host/guest-software.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const qemu = `qemu-system-${process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch}`;

/** Long enough for a shell on a busy machine; what is to be cut short is given less. */
const longMs = 60_000;

/** A program below the folder that runs this script. */
function program(name: string, script: string): void {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const path = join(folder, 'bin', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

function ask({ folders = [join(folder, 'bin')], limitMs = longMs } = {}): Promise<GuestSoftware> {
  return guestSoftware(undefined, folders, limitMs);
}

describe('the versions of what runs guests', () => {
  test('are those that the programs tell when they are asked', async () => {
    program(
      qemu,
      `[ "$*" = --version ] && echo 'QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)' && echo 'Copyright (c)'`,
    );
    program('libvirtd', `echo "$0 (libvirt) 11.3.0"`);
    expect(await ask()).toEqual({
      qemu: { name: qemu, version: '10.0.2', timedOut: false },
      libvirt: { name: 'libvirtd', version: '11.3.0', timedOut: false },
    });
  });

  test('are also those of the other names that distributions give them', async () => {
    program('qemu-kvm', `echo 'QEMU emulator version 9.0.0 (qemu-kvm-9.0.0-10.el9)'`);
    program('virtqemud', `echo 'virtqemud (libvirt) 10.5.0'`);
    expect(await ask()).toMatchObject({
      qemu: { name: 'qemu-kvm', version: '9.0.0' },
      libvirt: { name: 'virtqemud', version: '10.5.0' },
    });
  });

  test('are looked for in PATH, but for its relative folders, and where distributions put them', () => {
    expect(programFolders('/usr/local/bin:.::bin:/usr/bin')).toEqual([
      '/usr/local/bin',
      '/usr/bin',
      '/usr/sbin',
      '/usr/libexec',
    ]);
  });

  test.each([
    ['says nonsense', 'echo hello'],
    ['says nothing', 'exit 0'],
    ['fails', 'echo "QEMU: cannot open shared object" >&2; exit 127'],
    ['says very much', 'head -c 1000000 /dev/zero'],
  ])('are unknown when a program %s', async (_, script) => {
    program(qemu, script);
    program('libvirtd', script);
    expect(await ask()).toEqual({
      qemu: { name: qemu, version: null, timedOut: false },
      libvirt: { name: 'libvirtd', version: null, timedOut: false },
    });
  });

  test('are unknown when a file is no program', async () => {
    program(qemu, '');
    writeFileSync(join(folder, 'bin', qemu), '\x7fELF, but no more');
    expect((await ask()).qemu).toEqual({ name: qemu, version: null, timedOut: false });
  });

  test('are not waited for when a program hangs, which ends with all that it started', async () => {
    const pidFile = join(folder, 'pid');
    program(qemu, `sleep 1000 & echo $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`);
    const controller = new AbortController();
    const asked = guestSoftware(controller.signal, [join(folder, 'bin')], longMs);
    while (!existsSync(pidFile)) await setTimeout(5);
    controller.abort();
    expect((await asked).qemu).toEqual({ name: qemu, version: null, timedOut: true });
    const pid = Number(readFileSync(pidFile, 'utf8'));
    while (isRunning(pid)) await setTimeout(5);
  });

  test('are unknown when a program has no answer within the limit', async () => {
    program(qemu, 'sleep 1000');
    expect((await ask({ limitMs: 100 })).qemu).toEqual({
      name: qemu,
      version: null,
      timedOut: true,
    });
  });

  test('are not there when no program is, or none that may be run', async () => {
    mkdirSync(join(folder, 'bin', 'libvirtd'), { recursive: true });
    writeFileSync(join(folder, 'bin', qemu), '');
    expect(await ask()).toEqual({ qemu: null, libvirt: null });
  });
});

/** A zombie is none: whoever adopts it may take its time. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
