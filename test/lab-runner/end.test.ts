// SPDX-License-Identifier: Apache-2.0
// The ends of a run: however it comes, nothing of it is left.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { findLab } from '../../lab/build.mjs';
import { runInLab } from '../../lab/run.mjs';
import { long } from '../support/test-length.js';
import {
  alive,
  checkout,
  cli,
  descendants,
  type Proc,
  runCli,
  scratch,
  startCli,
} from './support.js';

const FOREVER = 'echo up; while :; do sleep 0.2; done';
/** Guest processes that a mere signal to the command would not reach. */
const DAEMON = `trap '' TERM INT HUP; setsid bash -c "trap '' TERM; ${FOREVER}" &`;
const STUBBORN = `${DAEMON} ${FOREVER}`;

async function gone(procs: Proc[], temporary: string) {
  // The kernel, its threads and the stubs of the guest's processes: not just one of them.
  expect(procs.length).toBeGreaterThan(3);
  await vi.waitFor(() => expect(alive(procs)).toEqual([]), { timeout: 20_000, interval: 50 });
  await vi.waitFor(() => expect(readdirSync(temporary)).toEqual([]), { timeout: 20_000 });
}

/** Start a command that never ends, with all its processes running. */
async function startForever(args: string[] = []) {
  const temporary = scratch();
  const run = startCli(['--no-nic', '--no-vdpa', ...args, '--sh', STUBBORN], { TMPDIR: temporary });
  await run.seen('up\nup\n');
  const pid = run.child.pid ?? 0;
  return { run, pid, temporary, procs: descendants(pid) };
}

describe('a run that is ended from outside', () => {
  test('the time limit ends everything, with 124 and a word', async () => {
    const temporary = scratch();
    const args = ['--no-nic', '--no-vdpa', '--timeout', '6', '--sh', STUBBORN];
    const run = startCli(args, { TMPDIR: temporary });
    await run.seen('up\nup\n');
    const procs = descendants(run.child.pid ?? 0);
    expect(await run.ended).toEqual({ code: 124, signal: null });
    expect(run.text().stderr).toBe('lab: the time limit of 6 s ended the lab\n');
    await gone(procs, temporary);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s to the runner ends everything', async (signal, code) => {
    const { run, temporary, procs } = await startForever();
    run.child.kill(signal);
    expect(await run.ended).toEqual({ code, signal: null });
    await gone(procs, temporary);
  });

  test('SIGKILL of the runner leaves no process and no file', async () => {
    const { run, temporary, procs } = await startForever();
    run.child.kill('SIGKILL');
    expect(await run.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await gone(procs, temporary);
  });

  test('SIGKILL of the guard leaves no process, and the runner says that the kernel is gone', async () => {
    const { run, pid, temporary, procs } = await startForever();
    const guard = procs.find((proc) => descendants(pid)[0]?.pid === proc.pid);
    process.kill(guard?.pid ?? 0, 'SIGKILL');
    expect(await run.ended).toEqual({ code: 125, signal: null });
    expect(run.text().stderr).toContain('without a result');
    await gone(procs, temporary);
  });

  test('SIGKILL of runner and guard leaves no process; the next run takes away the files', async () => {
    const { run, pid, temporary, procs } = await startForever();
    const guard = descendants(pid)[0];
    process.kill(guard?.pid ?? 0, 'SIGSTOP');
    run.child.kill('SIGKILL');
    process.kill(guard?.pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(alive(procs)).toEqual([]), { timeout: 20_000 });
    expect(readdirSync(temporary)).toHaveLength(1);
    const next = await runCli(['--no-nic', '--no-vdpa', 'true'], { TMPDIR: temporary });
    expect(next.code).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test('a living run keeps its files when another one starts', async () => {
    const { run, temporary } = await startForever();
    const other = await runCli(['--no-nic', '--no-vdpa', 'true'], { TMPDIR: temporary });
    expect(other.code).toBe(0);
    expect(readdirSync(temporary)).toHaveLength(1);
    run.child.kill('SIGTERM');
    await run.ended;
  });

  test('an abort signal ends it, also one from before the start', async () => {
    const options = { nic: false as const, vdpa: false };
    const early = await runInLab('echo never', { ...options, signal: AbortSignal.abort() });
    expect(early).toMatchObject({ status: 130, aborted: true, timedOut: false, stdout: '' });
    expect(early.error).toContain('aborted');
  });
});

describe('a run that ends badly by itself', () => {
  test('a kernel panic is reported as such', async () => {
    const script =
      'echo before; modprobe lkdtm; echo PANIC > /sys/kernel/debug/provoke-crash/DIRECT';
    const result = await runInLab(script, { nic: false, vdpa: false });
    expect(result).toMatchObject({ status: 125, stdout: 'before\n', signal: null });
    expect(result.error).toMatch(/^the lab's kernel died: Kernel panic - not syncing: /);
    expect(result.kernelLog).toContain('lkdtm');
  });

  test('the command line shows the end of the kernel log of a panic', async () => {
    const script = 'modprobe lkdtm; echo PANIC > /sys/kernel/debug/provoke-crash/DIRECT';
    const run = await runCli(['--no-nic', '--no-vdpa', '--sh', script]);
    expect(run.code).toBe(125);
    expect(run.stderr).toMatch(/Kernel panic[\s\S]*\nlab: the lab's kernel died: /);
  });

  test('a guest that powers off without a result is an error', async () => {
    const result = await runInLab('busybox poweroff -f', { nic: false, vdpa: false });
    expect(result.status).toBe(125);
    expect(result.error).toContain('without a result');
  });

  test('parameters that the NIC refuses stop the lab before the command', async () => {
    const result = await runInLab('echo ran', { nic: { npf: 33 } });
    expect(result).toMatchObject({ status: 125, stdout: '' });
    expect(result.error).toContain('the lab did not start: lab: cannot load labnic npf=33');
  });

  test('what the command left running does not hold up the end', async () => {
    const result = await runInLab(`${DAEMON} echo done`, {
      nic: false,
      vdpa: false,
      timeoutMs: 60_000,
    });
    expect(result).toMatchObject({ status: 0, timedOut: false });
    expect(result.stdout).toContain('done\n');
  });
});

describe('many runs', () => {
  test('two at the same time do not meet', async () => {
    const run = (name: string) =>
      runInLab(
        `touch /tmp/${name} /dev/shm/${name}; sleep 1; ls /tmp /dev/shm; vdpa mgmtdev show`,
        {
          nic: { npf: name.length },
        },
      );
    const [a, b] = await Promise.all([run('a'), run('bb')]);
    expect(a.stdout).toMatch(/^\/dev\/shm:\na\n\n\/tmp:\na\n/);
    expect(b.stdout).toMatch(/^\/dev\/shm:\nbb\n\n\/tmp:\nbb\n/);
  });

  const runs = long ? 50 : 3;
  test(`${runs} in a row leave no file and no process behind`, {
    timeout: runs * 20_000,
  }, async () => {
    const temporary = scratch();
    const memory = readdirSync('/dev/shm');
    for (let i = 0; i < runs; i++) {
      const run = startCli(['--sh', 'vdpa mgmtdev show | wc -l; echo here; sleep 0.2'], {
        TMPDIR: temporary,
      });
      await run.seen('here\n');
      const procs = descendants(run.child.pid ?? 0);
      expect(procs.length).toBeGreaterThan(3);
      expect(await run.ended).toEqual({ code: 0, signal: null });
      expect(alive(procs)).toEqual([]);
      expect(readdirSync(temporary)).toEqual([]);
    }
    expect(readdirSync('/dev/shm')).toEqual(memory);
  });
});

describe.runIf(process.getuid?.() === 0)('an ordinary user', () => {
  test('runs the lab too, as root of the guest', async () => {
    const lab = findLab();
    if (!lab) throw new Error('the lab is not built');
    const home = scratch();
    chmodSync(home, 0o755);
    // A checkout and a cache that this user can read, wherever ours are.
    cpSync(join(checkout, 'lab'), join(home, 'lab'), { recursive: true });
    cpSync(join(checkout, 'scripts'), join(home, 'scripts'), { recursive: true });
    const parts = [...lab.kernel.folders, lab.guard, lab.nic, ...lab.path].map((path) =>
      relative(lab.cache, path),
    );
    const wanted = new Set(parts.map((path) => path.split('/')[0]));
    cpSync(lab.cache, join(home, 'cache'), {
      recursive: true,
      filter: (path) => {
        const [top = '', next = ''] = relative(lab.cache, path).split('/');
        if (top === 'suites') return !next.startsWith('apt-');
        return top === '' || (wanted.has(top) && next !== 'source');
      },
    });
    spawnSync('chmod', ['-R', 'a+rX', home]);
    spawnSync('chown', ['-R', 'nobody', home]);
    const script = 'id -u; vdpa mgmtdev show | head -1; echo written > file; cat /etc/shadow';
    const run = spawnSync(
      'runuser',
      [
        '-u',
        'nobody',
        '--',
        process.execPath,
        join(home, cli.slice(checkout.length)),
        '--sh',
        script,
      ],
      {
        encoding: 'utf8',
        cwd: home,
        env: {
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          VDPA_HOST_CACHE: join(home, 'cache'),
          TMPDIR: '/tmp',
        },
      },
    );
    expect(run.stdout).toBe('0\nvdpasim_net: \n');
    // Root of the guest is nobody on the host.
    expect(run.stderr).toBe('cat: /etc/shadow: Permission denied\n');
    expect(readFileSync(join(home, 'file'), 'utf8')).toBe('written\n');
    expect(run.status).toBe(1);
  });
});
