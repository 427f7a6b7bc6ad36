// SPDX-License-Identifier: Apache-2.0
// The cache: what is built when, by whom, and what an interrupted build leaves.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { findLab } from '../../lab/build.mjs';
import { contentKey, install } from '../../lab/cache.mjs';
import { withLock } from '../../lab/lock.mjs';
import { alive, checkout, descendants, scratch } from './support.js';

/** A copy of the lab's sources with a NIC of its own, and a cache that borrows the kernel. */
function copyOfLab() {
  const lab = findLab();
  if (!lab) throw new Error('the lab is not built');
  const dir = scratch();
  const cache = join(dir, 'cache');
  mkdirSync(cache);
  for (const name of readdirSync(lab.cache)) {
    const borrowed = /^(?:kernel|suite)-[^/]*$/.test(name) && !name.includes('.tmp-');
    if (borrowed || name === 'suites') symlinkSync(join(lab.cache, name), join(cache, name));
  }
  cpSync(join(checkout, 'lab'), join(dir, 'lab'), { recursive: true });
  cpSync(join(checkout, 'scripts'), join(dir, 'scripts'), { recursive: true });
  appendFileSync(join(dir, 'lab', 'nic', 'rep.c'), `/* ${dir} */\n`);
  const build = () => {
    const child = spawn(process.execPath, [join(dir, 'lab', 'build.mjs')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, VDPA_HOST_CACHE: cache },
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    const ended = once(child, 'close').then(([code]) => code as number | null);
    const says = (text: string) =>
      vi.waitFor(() => expect(said).toContain(text), { timeout: 60_000, interval: 10 });
    return { child, ended, says, said: () => said };
  };
  return { dir, cache, build };
}

const nics = (cache: string) => readdirSync(cache).filter((name) => name.startsWith('nic-'));

describe('a build', () => {
  test('two at once for a changed NIC: one builds, the other waits and says so', async () => {
    const { cache, build } = copyOfLab();
    const waiting = 'another build is running';
    // Both meet the lock while it is held here, whatever the speed of the machine.
    const [a, b] = await withLock(
      join(cache, 'build.lock'),
      () => {},
      async () => {
        const both = [build(), build()] as const;
        await Promise.all(both.map((one) => one.says(waiting)));
        return both;
      },
    );
    expect(await Promise.all([a.ended, b.ended])).toEqual([0, 0]);
    const said = a.said() + b.said();
    expect(said.match(/NIC module: compiling/g)).toHaveLength(1);
    expect(said).not.toContain('kernel: ');
    expect(nics(cache)).toHaveLength(1);
    const third = build();
    expect(await third.ended).toBe(0);
    expect(third.said()).not.toContain('compiling');
  });

  test('one that is killed leaves no process, and the next one repairs what it left', async () => {
    const { dir, cache, build } = copyOfLab();
    const killed = build();
    await killed.says('NIC module: compiling');
    let procs = descendants(killed.child.pid ?? 0);
    await vi.waitFor(
      () => {
        procs = descendants(killed.child.pid ?? 0);
        // guard, make, its shell and more: in the middle of it.
        expect(procs.length).toBeGreaterThan(4);
      },
      { timeout: 20_000, interval: 10 },
    );
    killed.child.kill('SIGKILL');
    await killed.ended;
    await vi.waitFor(() => expect(alive(procs)).toEqual([]), { timeout: 20_000 });
    expect(nics(cache)).toEqual([expect.stringContaining('.tmp-')]);

    const next = build();
    expect(await next.ended).toBe(0);
    expect(next.said()).toContain('NIC module: compiling');
    expect(nics(cache)).toEqual([expect.not.stringContaining('.tmp-')]);
    const run = spawnSync(
      process.execPath,
      [join(dir, 'lab', 'cli.mjs'), 'sh', '-c', 'grep -c ^labnic /proc/modules'],
      { encoding: 'utf8', cwd: dir, env: { ...process.env, VDPA_HOST_CACHE: cache } },
    );
    expect(run).toMatchObject({ status: 0, stdout: '1\n', stderr: '' });
  });

  test('a NIC that does not compile is an error with the log and its end', async () => {
    const { dir, cache, build } = copyOfLab();
    appendFileSync(join(dir, 'lab', 'nic', 'rep.c'), 'this is not C\n');
    const failed = build();
    expect(await failed.ended).toBe(1);
    expect(failed.said()).toContain(`the log is ${join(cache, 'logs', 'nic.log')}`);
    expect(failed.said()).toMatch(/rep\.c:\d+:\d+: error: /);
    expect(nics(cache)).toEqual([]);
  });
});

describe('the pieces', () => {
  test('the key of a content depends on every byte and every boundary', () => {
    expect(contentKey('ab', 'c')).toBe(contentKey('ab', Buffer.from('c')));
    expect(contentKey('ab', 'c')).not.toBe(contentKey('a', 'bc'));
    expect(contentKey('ab')).not.toBe(contentKey('ab', ''));
  });

  test('a folder whose filling fails is not there', async () => {
    const dir = join(scratch(), 'made');
    const failing = install(dir, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(existsSync(dir)).toBe(false);
    expect(readdirSync(join(dir, '..'))).toEqual([]);
  });

  test('a lock is free again when its holder is killed', async () => {
    const file = join(scratch(), 'lock');
    const module = join(checkout, 'lab', 'lock.mjs');
    const script = `import { withLock } from ${JSON.stringify(module)};
      await withLock(${JSON.stringify(file)}, () => {}, async () => {
        console.log('held');
        await new Promise((resolve) => setTimeout(resolve, 1e9));
      });`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script]);
    await once(holder.stdout, 'data');
    let waits = '';
    const mine = withLock(
      file,
      (text) => {
        waits = text;
        holder.kill('SIGKILL');
      },
      async () => 'mine',
    );
    expect(await mine).toBe('mine');
    expect(waits).toContain('waiting');
  });

  test.runIf(process.getuid?.() === 0)('who is not root is told what to run, in one line', () => {
    const module = join(scratch(), 'apt.mjs');
    cpSync(join(checkout, 'scripts', 'apt.mjs'), module);
    const script = `import { ensurePackages } from ${JSON.stringify(module)};
      try { ensurePackages(['bash', 'no-such-a', 'no-such-b'], 'the lab'); }
      catch (error) { console.log(error.message); }`;
    const args = ['-u', 'nobody', '--', process.execPath, '--input-type=module', '-e', script];
    spawnSync('chmod', ['a+rx', join(module, '..')]);
    const run = spawnSync('runuser', args, { encoding: 'utf8', cwd: '/' });
    expect(run.stdout).toBe(
      'the lab needs packages: run `sudo apt-get install -y --no-install-recommends no-such-a no-such-b`\n',
    );
  });
});
