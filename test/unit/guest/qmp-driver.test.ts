import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { QmpConnection, type QmpEvent } from '../../../src/guest/qmp-connection.js';
import { QmpDriver } from '../../../src/guest/qmp-driver.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import { interfaceName } from '../../../src/index.js';
import type { ClaimId, InstanceId } from '../../../src/tracker/claim.js';
import { type Asked, ScriptedMonitor } from './support/scripted-monitor.js';

const vm1 = 'vm1' as InstanceId;
const name = interfaceName('claim1' as ClaimId, 'vdpa/sim0' as DeviceId);
const never = new AbortController().signal;
const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => error,
  );

describe('a connection', () => {
  test('gives each answer to who asked, in whatever order they come, among events', async () => {
    const held: Asked[] = [];
    await using monitor = await ScriptedMonitor.start((asked, it) => {
      held.push(asked);
      if (held.length < 3) return;
      it.event('RESUME', {});
      for (const one of held.toReversed()) it.return(one, one.execute);
    });
    const connection = await QmpConnection.open(monitor.path('vm1'), never);
    const events: QmpEvent[] = [];
    connection.listen((event) => events.push(event));
    const asking = ['a', 'b', 'c'].map((command) => connection.execute(command, {}, never));
    expect(await Promise.all(asking)).toEqual(['a', 'b', 'c']);
    expect(events.map(({ event }) => event)).toEqual(['RESUME']);
    connection.destroy();
    expect(await failure(connection.execute('d', {}, never))).toMatchObject({ code: 'CLOSED' });
  });

  test('reads what comes in pieces and in heaps', async () => {
    await using monitor = await ScriptedMonitor.start((asked, it) => {
      const line = `{"event":"X","data":{}}\r\n{"return":"ü","id":${asked.id}}\r\n`;
      for (const character of line) it.bytes(character);
    });
    const connection = await QmpConnection.open(monitor.path('vm1'), never);
    expect(await connection.execute('a', {}, never)).toBe('ü');
    connection.destroy();
  });

  test('forgets what it no longer waits for', async () => {
    const late: Asked[] = [];
    await using monitor = await ScriptedMonitor.start((asked, it) => {
      if (asked.execute === 'late') return void late.push(asked);
      for (const one of late) it.return(one, 'too late');
      return 'now';
    });
    const connection = await QmpConnection.open(monitor.path('vm1'), never);
    const controller = new AbortController();
    const call = failure(connection.execute('late', {}, controller.signal));
    await expect.poll(() => late.length).toBe(1);
    controller.abort(new Error('no more'));
    expect(await call).toBe(controller.signal.reason);
    expect(await connection.execute('next', {}, never)).toBe('now');
    connection.destroy();
  });

  test.each([
    ['no JSON', 'hello\r\n'],
    ['no answer', '{"return":{}}\r\n'],
    ['another program', 'HTTP/1.1 400 Bad Request\r\n'],
  ])('ends with what is no QMP: %s', async (_, bytes) => {
    await using monitor = await ScriptedMonitor.start((_asked, it) => it.bytes(bytes));
    const connection = await QmpConnection.open(monitor.path('vm1'), never);
    expect(await failure(connection.execute('a', {}, never))).toMatchObject({
      code: 'GUEST_PROTOCOL',
    });
    await connection.ended;
    expect(connection.alive).toBe(false);
  });

  test('to what greets otherwise is none', async () => {
    await using monitor = await ScriptedMonitor.start(() => undefined, { hello: 'there' });
    expect(await failure(QmpConnection.open(monitor.path('vm1'), never))).toMatchObject({
      code: 'GUEST_PROTOCOL',
    });
  });
});

describe('the driver', () => {
  const driverOf = (monitor: ScriptedMonitor) => new QmpDriver({ monitor: monitor.template });

  /** A QEMU that has the device, until the script says that it is deleted. */
  function holding(del: (asked: Asked, monitor: ScriptedMonitor, times: number) => void) {
    let there = true;
    let times = 0;
    return (asked: Asked, monitor: ScriptedMonitor): unknown => {
      switch (asked.execute) {
        case 'query-fdsets':
          return [];
        case 'qom-list':
          return there ? [{ name, type: 'child<virtio-net-pci>' }] : [];
        case 'netdev_del':
          return {};
        case 'device_del':
          del(asked, monitor, ++times);
          return undefined;
        case 'gone':
          there = false;
          return undefined;
        default:
          return undefined;
      }
    };
  }

  test('says who refuses to let go, and goes on asking', async () => {
    await using monitor = await ScriptedMonitor.start(
      holding((asked, it, times) => {
        it.return(asked);
        if (times < 2) it.event('DEVICE_UNPLUG_GUEST_ERROR', { device: name, path: '/x' });
        else it.event('DEVICE_DELETED', { device: name, path: '/x' });
      }),
    );
    await using driver = driverOf(monitor);
    const events = driver.events();
    await driver.detach(vm1, name);
    expect((await events.next()).value).toEqual({ type: 'unplug-refused', guest: vm1, name });
    expect((await events.next()).value).toEqual({ type: 'interface-gone', guest: vm1, name });
    const commands = monitor.asked.map(({ execute }) => execute);
    expect(commands.filter((command) => command === 'device_del')).toHaveLength(2);
    // Only after the guest has let go.
    expect(commands.indexOf('netdev_del')).toBeGreaterThan(commands.lastIndexOf('device_del'));
  });

  test('does not take the inner device for the whole', async () => {
    await using monitor = await ScriptedMonitor.start(
      holding((asked, it) => {
        it.event('DEVICE_DELETED', { path: `/machine/peripheral/${name}/virtio-backend` });
        it.event('DEVICE_DELETED', { device: 'another', path: '/machine/peripheral/another' });
        it.return(asked);
      }),
    );
    await using driver = driverOf(monitor);
    const deadline = performance.now() + 300;
    expect(await failure(driver.detach(vm1, name, { deadline }))).toMatchObject({
      code: 'GUEST_TIMEOUT',
    });
    expect(monitor.asked.map(({ execute }) => execute)).not.toContain('netdev_del');
  });

  test('waits on where an unplug is under way already', async () => {
    await using monitor = await ScriptedMonitor.start(
      holding((asked, it) => {
        it.refuse(asked, `Device ${name} is already in the process of unplug`);
        it.event('DEVICE_DELETED', { device: name, path: '/x' });
      }),
    );
    await using driver = driverOf(monitor);
    await driver.detach(vm1, name);
  });

  test('looks again after a connection was lost, in which the event may have been', async () => {
    let there = true;
    await using monitor = await ScriptedMonitor.start((asked, it) => {
      if (asked.execute === 'qom-list') return there ? [{ name, type: 'child<x>' }] : [];
      if (asked.execute === 'device_del') {
        there = false;
        return void it.hangUp();
      }
      return asked.execute === 'query-fdsets' ? [] : {};
    });
    await using driver = driverOf(monitor);
    await driver.detach(vm1, name);
    expect(monitor.asked.filter(({ execute }) => execute === 'device_del')).toHaveLength(1);
  });

  test('reads anew when the connection is lost in the middle', async () => {
    let hangUps = 0;
    await using monitor = await ScriptedMonitor.start((_asked, it) =>
      hangUps++ === 0 ? void it.hangUp() : [],
    );
    await using driver = driverOf(monitor);
    const events = driver.events();
    expect(await driver.interfaces(vm1)).toEqual([]);
    expect((await events.next()).value).toEqual({ type: 'resync', reason: 'reconnected' });
  });

  test('knows that a guest has ended, in the middle of a question as well', async () => {
    await using monitor = await ScriptedMonitor.start((_asked, it) => void it.end());
    await using driver = driverOf(monitor);
    const events = driver.events();
    expect(await failure(driver.interfaces(vm1))).toMatchObject({
      code: 'GUEST_NOT_FOUND',
      errno: 'ECONNREFUSED',
    });
    expect((await events.next()).value).toEqual({ type: 'guest-gone', guest: vm1 });
    await driver.detach(vm1, name);
  });

  test('does not try again and again what cannot be connected to', async () => {
    await using monitor = await ScriptedMonitor.start(() => []);
    await using driver = new QmpDriver({ monitor: `${monitor.folder}/{guest}/qmp` });
    writeFileSync(join(monitor.folder, 'file'), '');
    expect(await failure(driver.interfaces('file' as InstanceId))).toMatchObject({
      code: 'GUEST_NOT_FOUND',
      errno: 'ENOTDIR',
    });
    symlinkSync('itself', join(monitor.folder, 'itself'));
    expect(await failure(driver.interfaces('itself' as InstanceId))).toMatchObject({
      code: 'GUEST_UNREACHABLE',
      errno: 'ELOOP',
    });
  });

  test('goes on with one connection after the guest came back', async () => {
    let answers = 0;
    await using monitor = await ScriptedMonitor.start((_asked, it) =>
      ++answers === 1 ? void it.hangUp() : [],
    );
    await using driver = driverOf(monitor);
    for (let times = 0; times < 3; times++) expect(await driver.interfaces(vm1)).toEqual([]);
    expect(monitor.connections).toBe(2);
  });

  /** What the guest of a process that is no QEMU says, up to where the process is looked at. */
  const otherProcess = (last: (monitor: ScriptedMonitor) => unknown) => {
    return (asked: Asked, monitor: ScriptedMonitor): unknown =>
      asked.execute === 'query-status' ? last(monitor) : [];
  };
  const wanted = {
    name,
    deviceId: 'vdpa/sim0' as DeviceId,
    mac: null,
    mtu: null,
    queuePairs: 1,
    charDevice: { path: '/dev/vhost-vdpa-0', major: 500, minor: 0 },
  };

  test('attaches to nothing of which it cannot see the process', async () => {
    await using monitor = await ScriptedMonitor.start(otherProcess(() => ({ running: true })));
    await using driver = driverOf(monitor);
    expect(await failure(driver.attach(vm1, wanted))).toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('is no QEMU that this process can see'),
      outcome: 'unchanged',
    });
  });

  test('does not take for another process what ends while it is looked at', async () => {
    await using monitor = await ScriptedMonitor.start(otherProcess((it) => void it.end()));
    await using driver = driverOf(monitor);
    expect(await failure(driver.attach(vm1, wanted))).toMatchObject({
      code: 'GUEST_UNREACHABLE',
      leftovers: [],
    });
  });

  test('aborted while it waits, leaves what the guest has', async () => {
    const controller = new AbortController();
    await using monitor = await ScriptedMonitor.start(
      holding((asked, it) => {
        it.return(asked);
        controller.abort(new Error('changed my mind'));
      }),
    );
    await using driver = driverOf(monitor);
    const { signal } = controller;
    expect(await failure(driver.detach(vm1, name, { signal }))).toBe(controller.signal.reason);
    expect(monitor.asked.map(({ execute }) => execute)).not.toContain('netdev_del');
  });

  test('knows no guest where nobody listens, and detaches from none', async () => {
    await using driver = new QmpDriver({ monitor: '/nonexistent/{guest}.qmp' });
    expect(await driver.guests()).toEqual([]);
    expect(await failure(driver.interfaces(vm1))).toMatchObject({
      code: 'GUEST_NOT_FOUND',
      errno: 'ENOENT',
    });
    await driver.detach(vm1, name);
  });

  test('refuses once it is closed', async () => {
    const driver = new QmpDriver({ monitor: '/nonexistent/{guest}.qmp' });
    const events = driver.events();
    await driver.close();
    expect(await events.next()).toEqual({ done: true, value: undefined });
    const error = await failure(driver.interfaces(vm1));
    expect(error).toBeInstanceOf(VdpaError);
    expect(error).toMatchObject({ code: 'CLOSED' });
  });
});
