// SPDX-License-Identifier: Apache-2.0
// The machine in QEMU keeps the runner's contract, as the other one does.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { runInLab } from '../../../lab/run.mjs';
import { alive, checkout, descendants, runCli, scratch, startCli } from '../support.js';

const bare = { machine: 'qemu', nic: false, vdpa: false } as const;
const BARE = ['--machine', 'qemu', '--no-nic', '--no-vdpa'];
const FOREVER = `trap '' TERM INT HUP; setsid sleep 1000 & echo up; while :; do sleep 0.2; done`;

/** Start a command that never ends. */
async function startForever(args: string[] = []) {
  const temporary = scratch();
  const run = startCli([...BARE, ...args, '--sh', FOREVER], { TMPDIR: temporary });
  await run.seen('up\n');
  return { run, temporary, procs: descendants(run.child.pid ?? 0) };
}

async function gone({ procs, temporary }: Awaited<ReturnType<typeof startForever>>) {
  // The guard and QEMU.
  expect(procs.length).toBeGreaterThan(1);
  await vi.waitFor(() => expect(alive(procs)).toEqual([]), { timeout: 20_000, interval: 50 });
  await vi.waitFor(() => expect(readdirSync(temporary)).toEqual([]), { timeout: 20_000 });
}

describe('a command in QEMU', () => {
  test('its status and its output are the result, apart and byte for byte', async () => {
    const script = `
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      process.stdout.write(Buffer.concat([all, Buffer.from('out\\n\\r\\n\\0end')]));
      process.stderr.write(Buffer.concat([Buffer.from('err\\n'), all]));
      process.exitCode = 7;`;
    const result = await runInLab([process.execPath, '-e', script], bare);
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    expect(result).toMatchObject({ status: 7, signal: null, error: null });
    expect(result.stdoutBytes).toEqual(Buffer.concat([all, Buffer.from('out\n\r\n\0end')]));
    expect(result.stderrBytes).toEqual(Buffer.concat([Buffer.from('err\n'), all]));
  });

  test('a signal that ends it is named, and what it left running does not hold up the end', async () => {
    const result = await runInLab(`(trap '' TERM; sleep 1000) & echo o; kill -SEGV $$`, bare);
    expect(result).toMatchObject({ status: 139, signal: 'SIGSEGV', error: null, stdout: 'o\n' });
  });

  test('megabytes on both streams come whole, up to the last byte', async () => {
    const script = 'head -c 3000000 /dev/zero | tr "\\0" a & seq 200000 >&2; wait; printf z';
    const result = await runInLab(script, bare);
    expect(result.stdoutBytes.equals(Buffer.from(`${'a'.repeat(3_000_000)}z`))).toBe(true);
    const numbers = Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join('');
    expect(result.stderr === numbers).toBe(true);
  });

  test('it sees two processors, two nodes, an IOMMU, no terminal and a fresh environment', async () => {
    const script = `
      test -t 0 || test -t 1 || test -t 2; echo $?; wc -c; echo $VDPA_LAB $HOME $SECRET
      nproc; ls -d /sys/devices/system/node/node*; ls /sys/class/iommu; ls /tmp /run/home`;
    vi.stubEnv('SECRET', 'of the runner');
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const result = await runInLab(script, bare);
    expect(result.stdout).toBe(
      '1\n0\n1 /run/home\n2\n/sys/devices/system/node/node0\n/sys/devices/system/node/node1\n' +
        'dmar0\n/run/home:\n\n/tmp:\n',
    );
  });

  test('the checkout, odd paths and disks are writable, and the rest is not', async () => {
    const dir = join(checkout, 'build', "lab test, with 'signs'");
    mkdirSync(dir, { recursive: true });
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const below = scratch();
    const disk = join(scratch(), 'a disk, with: signs');
    writeFileSync(disk, Buffer.alloc(16 << 20));
    writeFileSync(join(below, 'in'), 'from the host\n');
    const result = await runInLab(
      `echo from the lab >file && cat ${below}/in && echo out >${below}/out || exit 1
       /sbin/mkfs.ext4 -q -F /dev/vda && mkdir /run/m && mount /dev/vda /run/m &&
         echo kept >/run/m/f && cat /run/m/f
       for dir in /etc /usr /var/lib / ; do touch $dir/lab-test 2>/dev/null && echo wrote $dir; done
       pwd; exit 0`,
      { ...bare, cwd: dir, writable: [below], disks: [disk] },
    );
    expect(result.stderr).toBe('');
    expect(result).toMatchObject({ status: 0, stdout: `from the host\nkept\n${dir}\n` });
    expect(readFileSync(join(dir, 'file'), 'utf8')).toBe('from the lab\n');
    expect(readFileSync(join(below, 'out'), 'utf8')).toBe('out\n');
    expect(existsSync('/etc/lab-test')).toBe(false);
  });

  test('the NIC is there with the parameters that were asked for', async () => {
    const script = 'cat /sys/bus/pci/devices/*:*1:00.0/{sriov_totalvfs,numa_node}';
    const nic = { npf: 1, firstbus: 32, totalvfs: 9, numa: 1 };
    const result = await runInLab(script, { machine: 'qemu', nic });
    expect(result).toMatchObject({ status: 0, stderr: '', stdout: '9\n1\n' });
  });
});

describe('the end of a run in QEMU', () => {
  test('the time limit ends all of it, with 124 and a word', async () => {
    const started = await startForever(['--timeout', '60']);
    expect(await started.run.ended).toEqual({ code: 124, signal: null });
    expect(started.run.text().stderr).toBe('lab: the time limit of 60 s ended the lab\n');
    await gone(started);
  });

  test.each([
    ['SIGTERM', { code: 143, signal: null }],
    ['SIGKILL', { code: null, signal: 'SIGKILL' }],
  ] as const)('%s to the runner leaves no process and no file', async (signal, end) => {
    const started = await startForever();
    started.run.child.kill(signal);
    expect(await started.run.ended).toEqual(end);
    await gone(started);
  });

  test('a kernel panic is reported as such', async () => {
    const script = 'echo before; echo c >/proc/sysrq-trigger; sleep 1000';
    const result = await runInLab(script, bare);
    expect(result).toMatchObject({ status: 125, signal: null });
    expect(result.error).toMatch(/^the lab's kernel died: Kernel panic - not syncing: /);
  });

  test('parameters that the NIC refuses stop it before the command', async () => {
    const result = await runInLab('echo ran', { machine: 'qemu', nic: { npf: 33 } });
    expect(result).toMatchObject({ status: 125, stdout: '' });
    expect(result.error).toContain('the lab did not start: lab: cannot load labnic npf=33');
  });

  test.each([
    [['--memory', '100', 'true'], 'memory must be a whole number of MiB from 512'],
    [['--disk', '/no/such/disk', 'true'], 'there is no disk file /no/such/disk'],
  ])('%j is refused in one line', async (args, message) => {
    const run = await runCli(['--machine', 'qemu', ...args]);
    expect(run).toMatchObject({ code: 125, stdout: '' });
    expect(run.stderr).toMatch(/^lab: .*\n$/);
    expect(run.stderr).toContain(message);
  });

  test('one that is not built says how to build it', async () => {
    const run = await runCli([...BARE, 'true'], { VDPA_HOST_CACHE: scratch() });
    expect(run.code).toBe(125);
    expect(run.stderr).toBe('lab: the lab is not built: run `node lab/build.mjs --machine qemu`\n');
  });
});
