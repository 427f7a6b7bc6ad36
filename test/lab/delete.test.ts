import { closeSync, openSync, readFileSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

let host: VdpaHost;
beforeAll(async () => {
  host = await VdpaHost.open();
});
afterAll(() => host.close());
lab.eachOnBareHost();

/** A simulator bound to vhost_vdpa; the path of its node. */
function boundSim(name = 'sim0'): string {
  lab.addDevice(name, 'vdpasim_net');
  lab.bind(name, 'vhost_vdpa');
  return lab.charNodeOf(name);
}

describe('deleting a device', () => {
  test.each(['vhost_vdpa', null] as const)('that is bound to %s takes it away', async (driver) => {
    lab.addDevice('sim0', 'vdpasim_net');
    if (driver !== null) lab.bind('sim0', driver);
    await host.deleteDevice('sim0');
    expect(lab.deviceNames()).toEqual([]);
  });

  test('that is not there is DEVICE_NOT_FOUND', async () => {
    expect(await lab.failed(host.deleteDevice('sim0'))).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      outcome: 'unchanged',
    });
  });

  test('that the host uses as an interface is refused unless forced', async () => {
    lab.addDevice('sim0', 'vdpasim_net');
    lab.bind('sim0', 'virtio_vdpa');
    expect(await lab.failed(host.deleteDevice('sim0'))).toMatchObject({
      code: 'DEVICE_IN_HOST_USE',
      outcome: 'unchanged',
    });
    expect(lab.driverOf('sim0')).toBe('virtio_vdpa');
    await host.deleteDevice('sim0', { force: true });
    expect(lab.deviceNames()).toEqual([]);
  });

  test('that its driver made is refused before it is touched', async () => {
    lab.nicParameter('unmanaged', 0);
    try {
      lab.enableVfs(lab.pfA, 1);
      const [name = ''] = lab.deviceNames();
      lab.bind(name, 'vhost_vdpa');
      expect(await lab.failed(host.deleteDevice(name))).toMatchObject({
        code: 'NOT_SUPPORTED',
        outcome: 'unchanged',
      });
      expect(lab.driverOf(name)).toBe('vhost_vdpa');
      // Once it is refused, a guest can have it.
      for (let round = 0; round < 10; round++) {
        await lab.failed(host.deleteDevice(name));
        closeSync(openSync(lab.charNodeOf(name), 'r+'));
      }
    } finally {
      lab.nicParameter('unmanaged', -1);
      lab.enableVfs(lab.pfA, 0);
    }
  });

  test('whose node is missing, or another file, opens it by its number', async () => {
    const node = boundSim();
    rmSync(node);
    const other = boundSim('sim1');
    rmSync(other);
    writeFileSync(other, 'stale');
    // Nothing of ours comes into /dev meanwhile: a helper that is killed could not take it away.
    const seen = new Set<string | null>();
    const watcher = watch('/dev', (_, name) => seen.add(name));
    await host.deleteDevice('sim0');
    await host.deleteDevice('sim1');
    expect(lab.deviceNames()).toEqual([]);
    rmSync(other);
    await lab.until(() => seen.has(basename(other)));
    watcher.close();
    expect([...seen]).toEqual([basename(other)]);
  });

  test('twice at once deletes it once, and neither waits for the other', async () => {
    boundSim();
    const answers = await Promise.all([
      lab.failed(host.deleteDevice('sim0')),
      lab.failed(host.deleteDevice('sim0')),
    ]);
    expect(lab.deviceNames()).toEqual([]);
    expect(answers).toContain('done');
    for (const answer of answers) {
      if (answer === 'done') continue;
      expect(['DEVICE_BUSY', 'DEVICE_CHANGED', 'DEVICE_NOT_FOUND']).toContain(
        (answer as { code: string }).code,
      );
    }
  });

  test('needs privilege', () => {
    boundSim();
    const script = `import { VdpaHost } from '${process.cwd()}/dist/index.js';
      const host = await VdpaHost.open();
      const error = await host.deleteDevice('sim0').catch((reason) => reason);
      console.log(error.code, error.outcome);`;
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const said = lab.run('setpriv', ...nobody, ...lab.nodeScript(script));
    expect(said).toBe('PERMISSION_DENIED unchanged\n');
    // Who may unbind, but not delete, has bound it again.
    const root = ['--bounding-set=-net_admin', '--inh-caps=-net_admin'];
    expect(lab.run('setpriv', ...root, ...lab.nodeScript(script))).toBe(
      'PERMISSION_DENIED undone\n',
    );
    expect(lab.driverOf('sim0')).toBe('vhost_vdpa');
    expect(lab.reservationOf('sim0')).toBe('(null)');
  });
});

/** Meanwhile changes are made by a shell script, which finds the program itself at /tmp/helper. */
async function withHelperScript(lines: readonly string[], work: () => Promise<void>) {
  const program = 'build/Release/vdpa_host_helper';
  lab.run('cp', program, '/tmp/helper');
  writeFileSync('/tmp/late', ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
  lab.run('mount', '--bind', '/tmp/late', program);
  try {
    await work();
  } finally {
    lab.run('umount', program);
    rmSync('/tmp/late');
  }
}

test('a helper that comes to life after its time changes nothing', async () => {
  boundSim();
  const script = ['echo $$ >/tmp/pid', '/bin/sleep 4', 'exec /tmp/helper "$@"'];
  await withHelperScript(script, async () => {
    expect(await lab.failed(host.deleteDevice('sim0', { timeoutMs: 1000 }))).toMatchObject({
      code: 'KERNEL_TIMEOUT',
      outcome: 'unchanged',
    });
    const pid = readFileSync('/tmp/pid', 'utf8').trim();
    await lab.until(() => !lab.exists(`/proc/${pid}`));
    expect(lab.deviceNames()).toEqual(['sim0']);
  });
});

test('a helper that is still putting one thing after another back is listened to', async () => {
  const things = ['1', '2', '3', '4', '5'];
  const script = [
    ...things.map((thing) => `printf 'changed\\t${thing}\\n'`),
    ...things.map((thing) => `/bin/sleep 0.5; printf 'undone\\t${thing}\\n'`),
    "printf 'failed\\t0\\t28\\twrite\\t\\n'",
  ];
  await withHelperScript(script, async () => {
    expect(await lab.failed(host.deleteDevice('sim0', { timeoutMs: 100 }))).toMatchObject({
      errno: 'ENOSPC',
      outcome: 'undone',
      leftovers: [],
    });
  });
});

describe('a device that somebody holds open', () => {
  test('is busy at once, forced or not, and its holder is named and undisturbed', async () => {
    const holder = await lab.holdAskable(boundSim());
    try {
      for (const call of [
        () => host.deleteDevice('sim0'),
        () => host.deleteDevice('sim0', { force: true }),
        () => host.bindDriver('sim0', null),
        () => host.bindDriver('sim0', 'virtio_vdpa', { force: true }),
      ]) {
        expect(await lab.failed(call())).toMatchObject({
          code: 'DEVICE_BUSY',
          errno: 'EBUSY',
          outcome: 'unchanged',
          retry: 'later',
          message: expect.stringContaining(`perl (pid ${holder.pid})`),
        });
      }
      expect(await holder.deviceId()).toBe('1');
      expect(lab.driverOf('sim0')).toBe('vhost_vdpa');
      expect(lab.reservationOf('sim0')).toBe('(null)');
      expect(lab.vdpaAnswers()).toBe(true);
    } finally {
      await holder.letGo();
    }
    await host.deleteDevice('sim0');
  });

  test('is busy also when nobody can see who it is', async () => {
    const holder = await lab.hold(boundSim());
    lab.run('mount', '-t', 'tmpfs', 'none', `/proc/${holder.pid}`);
    try {
      expect(await lab.failed(host.deleteDevice('sim0'))).toMatchObject({
        code: 'DEVICE_BUSY',
        outcome: 'unchanged',
        message: expect.stringContaining('by a process that can not be seen from here'),
      });
      expect(lab.driverOf('sim0')).toBe('vhost_vdpa');
    } finally {
      lab.run('umount', `/proc/${holder.pid}`);
      await lab.letGo(holder);
    }
  });

  test('and that somebody else is unbinding already is busy, and stalls nobody', async () => {
    const node = boundSim();
    const holder = await lab.holdAskable(node);
    const unbinder = lab.start('bash', '-c', 'echo sim0 > /sys/bus/vdpa/drivers/vhost_vdpa/unbind');
    try {
      await lab.until(() => !lab.exists(node) && lab.sleepsInKernel(unbinder.pid));
      for (const call of [
        () => host.deleteDevice('sim0'),
        () => host.bindDriver('sim0', 'vhost_vdpa'),
      ]) {
        expect(await lab.failed(call())).toMatchObject({
          code: 'DEVICE_BUSY',
          outcome: 'unchanged',
        });
      }
      await lab.until(() => lab.helpers().length === 0);
      expect(lab.vdpaAnswers()).toBe(true);
    } finally {
      await holder.letGo();
      await lab.ended(unbinder);
    }
    await host.deleteDevice('sim0');
  });

  test('by turns, as fast as it can, never stalls the kernel’s vDPA commands', async () => {
    const node = boundSim();
    const racer = lab.start('perl', '-e', `for (;;) { open(my $f, "+<", "${node}"); }`);
    try {
      for (let attempt = 0; attempt < (lab.long ? 200 : 10); attempt++) {
        const answer = await lab.failed(host.deleteDevice('sim0'));
        expect(lab.vdpaAnswers()).toBe(true);
        if (answer === 'done') {
          // vhost_vdpa shows a node before it has made all that closing it needs: whoever opens and closes it
          // in between brings down the kernel.
          await lab.stopped(racer);
          boundSim();
          racer.kill('SIGCONT');
        } else expect(answer).toMatchObject({ code: 'DEVICE_BUSY', outcome: 'unchanged' });
      }
    } finally {
      await lab.letGo(racer);
    }
    await host.deleteDevice('sim0');
  });
});

describe('a caller that is killed in the middle of a forced delete', () => {
  test('leaves no process behind, no lock of its own, and no device', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    lab.bind('vdpa0', 'vhost_vdpa');
    lab.nicParameter('del_delay_ms', lab.untilMadeZero);
    const script = `import { VdpaHost } from '${process.cwd()}/dist/index.js';
      const host = await VdpaHost.open();
      await host.deleteDevice('vdpa0', { force: true });`;
    // The caller holds a lock by a descriptor that its children would inherit.
    const locked = 'exec 9>/tmp/lock; flock 9; exec "$@"';
    const caller = lab.start('bash', '-c', locked, 'bash', ...lab.nodeScript(script));
    try {
      await lab.until(() => lab.helpers().some(isDeleting));
      caller.kill('SIGKILL');
      await lab.ended(caller);
      expect(lab.helpers()).not.toEqual([]);
      lab.run('flock', '--nonblock', '/tmp/lock', 'true');
      lab.nicParameter('del_delay_ms', 0);
      await lab.until(() => lab.helpers().length === 0);
    } finally {
      caller.kill('SIGKILL');
      lab.nicParameter('del_delay_ms', 0);
    }
    expect(lab.deviceNames()).toEqual([]);
    expect(lab.vdpaAnswers()).toBe(true);
  });
});

/** Only the delete itself sleeps for long. */
function isDeleting(pid: number): boolean {
  return sleeps(pid) && lab.driverOf('vdpa0') === null;
}

describe('a helper that is killed', () => {
  test('before it changed anything says so', async () => {
    boundSim();
    const { slow, until } = slowCreation();
    await until;
    try {
      const call = lab.failed(host.deleteDevice('sim0'));
      await lab.until(() => lab.helpers().some(sleeps));
      for (const pid of lab.helpers()) process.kill(pid, 'SIGKILL');
      // What waits for the lock dies once it has it.
      lab.nicParameter('add_delay_ms', 0);
      expect(await call).toMatchObject({ code: 'CHANGE_INTERRUPTED', outcome: 'unchanged' });
    } finally {
      lab.nicParameter('add_delay_ms', 0);
      await lab.ended(slow);
    }
    await lab.until(() => lab.helpers().length === 0);
    expect(lab.driverOf('sim0')).toBe('vhost_vdpa');
  });

  test('half-way leaves a device that a second delete takes', async () => {
    boundSim();
    // As a helper leaves it that was killed between its unbind and its delete.
    lab.reserve('sim0', 'vdpa-host');
    lab.unbind('sim0', 'vhost_vdpa');
    expect(() => lab.bind('sim0', 'vhost_vdpa')).toThrow('ENODEV');
    await host.deleteDevice('sim0');
    expect(lab.deviceNames()).toEqual([]);
  });

  test('half-way leaves a device that can be bound again instead', async () => {
    boundSim();
    lab.reserve('sim0', 'vdpa-host');
    lab.unbind('sim0', 'vhost_vdpa');
    expect(await host.bindDriver('sim0', 'vhost_vdpa')).toMatchObject({ driver: 'vhost_vdpa' });
    expect(lab.reservationOf('sim0')).toBe('(null)');
  });
});

describe('somebody else at the same time', () => {
  test('who binds a device that a live helper is deleting is refused, and it goes', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    lab.bind('vdpa0', 'vhost_vdpa');
    lab.nicParameter('del_delay_ms', lab.untilMadeZero);
    try {
      const deleting = lab.failed(host.deleteDevice('vdpa0'));
      await lab.until(() => lab.helpers().some(isDeleting));
      expect(await lab.failed(host.bindDriver('vdpa0', 'vhost_vdpa'))).toMatchObject({
        code: 'DEVICE_CHANGED',
        outcome: 'unchanged',
        retry: 'later',
      });
      expect(lab.reservationOf('vdpa0')).toBe('vdpa-host');
      lab.nicParameter('del_delay_ms', 0);
      expect(await deleting).toBe('done');
    } finally {
      lab.nicParameter('del_delay_ms', 0);
    }
    expect(lab.deviceNames()).toEqual([]);
  });

  test('who puts another device in its place keeps that', async () => {
    boundSim();
    await lab.withHeldFile('/sys/bus/vdpa/drivers/vhost_vdpa/unbind', async (letThrough) => {
      const deleting = lab.failed(host.deleteDevice('sim0'));
      await lab.until(() => lab.reservationOf('sim0') === 'vdpa-host');
      lab.deleteDevice('sim0');
      lab.addDevice('sim0', 'vdpasim_net');
      letThrough();
      expect(await deleting).toMatchObject({ code: 'DEVICE_CHANGED' });
    });
    expect(lab.deviceNames()).toEqual(['sim0']);
    expect([lab.driverOf('sim0'), lab.reservationOf('sim0')]).toEqual([null, '(null)']);
  });
});

function sleeps(pid: number): boolean {
  try {
    return lab.sleepsInKernel(pid);
  } catch {
    return false;
  }
}

/** Somebody else's command that holds the kernel's vDPA lock until `add_delay_ms` is made 0. */
function slowCreation() {
  lab.enableVfs(lab.pfA, 1);
  lab.nicParameter('add_delay_ms', lab.untilMadeZero);
  const management = `pci/${lab.vfOf(lab.pfA, 0)}`;
  const slow = lab.start('vdpa', 'dev', 'add', 'name', 'slow0', 'mgmtdev', management);
  return { slow, until: lab.until(() => lab.sleepsInKernel(slow.pid)) };
}

describe('a kernel that is busy with another command', () => {
  test('keeps neither a call whose time is up nor an aborted one, and nothing stays behind', async () => {
    const node = boundSim();
    boundSim('sim1');
    const { slow, until } = slowCreation();
    await until;
    try {
      expect(await lab.failed(host.deleteDevice('sim0', { timeoutMs: 200 }))).toMatchObject({
        code: 'KERNEL_TIMEOUT',
        outcome: 'unchanged',
        retry: 'later',
        step: 'DEV_GET sim0',
      });
      const controller = new AbortController();
      const aborted = lab.failed(host.deleteDevice('sim1', { signal: controller.signal }));
      // Besides the first one's, which is still waiting.
      await lab.until(() => lab.helpers().filter(sleeps).length === 2);
      controller.abort('enough');
      expect(await aborted).toBe('enough');
      expect(lab.sleepsInKernel(slow.pid)).toBe(true);
    } finally {
      lab.nicParameter('add_delay_ms', 0);
      await lab.ended(slow);
    }
    await lab.until(() => lab.helpers().length === 0);
    expect(statSync(node).isCharacterDevice()).toBe(true);
    // What the aborted call had begun ran its course.
    expect(lab.deviceNames()).toEqual(['sim0', 'slow0']);
  });

  test('that deletes too slowly leaves the outcome unknown, and the device goes all the same', async () => {
    lab.enableVfs(lab.pfA, 1);
    lab.addDevice('vdpa0', `pci/${lab.vfOf(lab.pfA, 0)}`);
    lab.bind('vdpa0', 'vhost_vdpa');
    lab.nicParameter('del_delay_ms', lab.untilMadeZero);
    try {
      expect(await lab.failed(host.deleteDevice('vdpa0', { timeoutMs: 300 }))).toMatchObject({
        code: 'KERNEL_TIMEOUT',
        outcome: 'unknown',
        step: 'DEV_DEL vdpa0',
      });
    } finally {
      lab.nicParameter('del_delay_ms', 0);
    }
    await lab.until(() => lab.helpers().length === 0);
    expect(lab.deviceNames()).toEqual([]);
  });
});
