// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runInLab } from '../../lab/run.mjs';
import { checkout, runCli, scratch } from './support.js';

describe('a command in the lab', () => {
  test.each([0, 1, 3, 124, 125, 255])('its exit status %i is the result', async (status) => {
    const result = await runInLab(['sh', '-c', `exit ${status}`], { nic: false, vdpa: false });
    expect(result).toMatchObject({ status, signal: null, error: null, timedOut: false });
  });

  test('a signal that ends it is named', async () => {
    const result = await runInLab('kill -SEGV $$', { nic: false, vdpa: false });
    expect(result).toMatchObject({ status: 139, signal: 'SIGSEGV', error: null });
  });

  test('a program that is not there gives 127 and says so', async () => {
    const result = await runInLab(['/no/such/program'], { nic: false, vdpa: false });
    expect(result.status).toBe(127);
    expect(result.stderr).toContain('/no/such/program');
  });

  test('stdout and stderr stay apart, byte for byte', async () => {
    const script = `
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      process.stdout.write(Buffer.concat([all, Buffer.from('out\\n\\r\\n\\0end')]));
      process.stderr.write(Buffer.concat([Buffer.from('err\\n'), all]));`;
    const result = await runInLab([process.execPath, '-e', script], { nic: false, vdpa: false });
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    expect(result.stdoutBytes).toEqual(Buffer.concat([all, Buffer.from('out\n\r\n\0end')]));
    expect(result.stderrBytes).toEqual(Buffer.concat([Buffer.from('err\n'), all]));
  });

  test('arguments, variables and scripts arrive as they are', async () => {
    const nasty = `a 'b' "c" $HOME \`x\` \\ * \n\t é ! # ; & | > <`;
    const argv = await runInLab(
      [process.execPath, '-p', 'JSON.stringify([process.argv[1], process.env.N])', nasty],
      {
        nic: false,
        vdpa: false,
        env: { N: nasty },
      },
    );
    expect(JSON.parse(argv.stdout)).toEqual([nasty, nasty]);
    const script = await runInLab(`printf '%s' "$N"; printf ' %s' 'it'"'"'s'`, {
      nic: false,
      vdpa: false,
      env: { N: nasty },
    });
    expect(script.stdout).toBe(`${nasty} it's`);
  });

  test('output arrives while the command runs', async () => {
    const abort = new AbortController();
    let seen = '';
    // The command would run for ever: only output that comes before its end can end it.
    const result = await runInLab('echo first; while :; do sleep 0.1; done', {
      nic: false,
      vdpa: false,
      signal: abort.signal,
      onStdout: (chunk) => {
        seen += chunk;
        if (seen.includes('first\n')) abort.abort();
      },
    });
    expect(result).toMatchObject({ status: 130, aborted: true, stdout: 'first\n' });
  });

  test('tens of megabytes on both streams come whole', async () => {
    const script = 'head -c 30000000 /dev/zero | tr "\\0" a & seq 2000000 >&2; wait';
    const result = await runInLab(script, { nic: false, vdpa: false });
    const numbers = Array.from({ length: 2_000_000 }, (_, i) => `${i + 1}\n`).join('');
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(result.stdoutBytes.length).toBe(30_000_000);
    expect(hash(result.stdoutBytes)).toBe(hash(Buffer.alloc(30_000_000, 'a')));
    expect(hash(result.stderrBytes)).toBe(hash(Buffer.from(numbers)));
  });

  test('a reader slower than the command loses nothing', async () => {
    const file = join(scratch(), 'out');
    const inner = `node lab/cli.mjs --no-nic --no-vdpa seq 500000`;
    const { status } = await import('node:child_process').then(({ spawnSync }) =>
      spawnSync('bash', ['-c', `${inner} | { sleep 2; cat; } > ${file}`], { cwd: checkout }),
    );
    expect(status).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(
      Array.from({ length: 500_000 }, (_, i) => `${i + 1}\n`).join(''),
    );
  });

  test('it sees no terminal and no input', async () => {
    const script = 'test -t 0 || test -t 1 || test -t 2; echo $?; wc -c; echo $VDPA_LAB $HOME';
    const result = await runInLab(script, { nic: false, vdpa: false });
    expect(result.stdout).toBe('1\n0\n1 /run/home\n');
  });
});

describe('the file system of the lab', () => {
  test('the checkout is writable and the rest is not', async () => {
    const dir = join(checkout, 'build', 'lab-test');
    mkdirSync(dir, { recursive: true });
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const result = await runInLab(
      `echo from the lab > ${dir}/file || exit 1
       for dir in /etc /usr /var/lib / ; do touch $dir/lab-test 2>/dev/null && echo wrote $dir; done
       pwd; exit 0`,
      { nic: false, vdpa: false, cwd: dir },
    );
    expect(result).toMatchObject({ status: 0, stdout: `${dir}\n` });
    expect(readFileSync(join(dir, 'file'), 'utf8')).toBe('from the lab\n');
    expect(existsSync('/etc/lab-test')).toBe(false);
  });

  test('a working directory below /tmp is there, and the rest of /tmp is fresh', async () => {
    const dir = scratch();
    const other = scratch();
    writeFileSync(join(dir, 'in'), 'hello\n');
    const script = `cat in; echo out > out; ls -d ${other} 2>/dev/null; echo x > /tmp/free; ls /tmp /run/home /dev/shm`;
    const result = await runInLab(script, { nic: false, vdpa: false, cwd: dir });
    expect(result.stdout).not.toContain(other);
    expect(result.stdout).toMatch(/^hello\n/);
    expect(result.stdout).toContain('\nfree\n');
    expect(readFileSync(join(dir, 'out'), 'utf8')).toBe('out\n');
    expect(existsSync('/tmp/free')).toBe(false);
  });

  test('a disk is a block device that keeps what is written', async () => {
    const disk = join(scratch(), 'a disk, with: signs');
    writeFileSync(disk, Buffer.alloc(16 << 20));
    const options = { nic: false as const, vdpa: false, disks: [disk] };
    const mount = 'mkdir /run/m; mount -t ext4 /dev/ubda /run/m';
    const write = await runInLab(
      `/sbin/mkfs.ext4 -q -F /dev/ubda && ${mount} && echo kept > /run/m/f && umount /run/m`,
      options,
    );
    expect(write.stderr).toBe('');
    expect(write.status).toBe(0);
    const read = await runInLab(`${mount} && cat /run/m/f`, options);
    expect(read.stdout).toBe('kept\n');
  });
});

describe('the command line', () => {
  test('passes output and status through', async () => {
    const run = await runCli(['--no-nic', '--no-vdpa', 'sh', '-c', 'echo o; echo e >&2; exit 7']);
    expect(run).toEqual({ code: 7, signal: null, stdout: 'o\n', stderr: 'e\n' });
  });

  test("a command's own options are the command's", async () => {
    const run = await runCli(['--no-nic', '--no-vdpa', 'echo', '--help', '--timeout']);
    expect(run.stdout).toBe('--help --timeout\n');
  });

  test('--sh runs a script, --env and --cwd set its surroundings', async () => {
    const dir = scratch();
    const script = 'echo "$A|$PWD" && [[ -n $BASH_VERSION ]]';
    const args = ['--no-nic', '--no-vdpa', '--sh', '--env', 'A=x=y z', '--cwd', dir, script];
    expect(await runCli(args)).toMatchObject({ code: 0, stdout: `x=y z|${dir}\n` });
  });

  test.each([
    [['--memory', 'lots', 'true'], '--memory wants a number'],
    [['--memory', '1', 'true'], 'memory must be a whole number of MiB'],
    [['--memory', '99999999', 'true'], 'memory must be a whole number of MiB'],
    [['--timeout', '-1', 'true'], '--timeout'],
    [['--env', 'novalue', 'true'], '--env wants KEY=VALUE'],
    [['--nic', 'nonsense=1', 'true'], 'the NIC has no parameter nonsense'],
    [['--disk', '/no/such/disk', 'true'], 'there is no disk file /no/such/disk'],
    [['--cwd', '/no/such/dir', 'true'], 'the working directory is not a folder'],
    [['--no-vdpa', '--nic', 'npf=1', 'true'], 'the NIC needs the vDPA modules'],
    [[], 'no command given'],
  ])('%j is refused in one line', async (args, message) => {
    const run = await runCli(args);
    expect(run.code).toBe(125);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(/^lab: .*\n$/);
    expect(run.stderr).toContain(message);
  });

  test('a lab that is not built is one line that says how to build it', async () => {
    const run = await runCli(['true'], { VDPA_HOST_CACHE: scratch() });
    expect(run.code).toBe(125);
    expect(run.stderr).toBe('lab: the lab is not built: run `node lab/build.mjs`\n');
  });
});
