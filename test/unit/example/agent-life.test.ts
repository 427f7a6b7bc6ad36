import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AgentError } from '../../../examples/compute-agent/agent-error.js';
import { VdpaError } from '../../../src/errors.js';
import type { PortId } from '../../../src/policy/device-request.js';
import { vdpaRequest } from '../../support/requests.js';
import { instance } from '../tracker/support/devices.js';
import { free } from '../tracker/support/hosts.js';
import { AgentSide } from './support/agent-side.js';

// What real QEMUs seldom do: the moments in which a guest could run twice, or its last state be lost.

// Of the package as it is built, to the compiler, and of its sources here: the same to both.
const vm1 = instance('vm1') as never;
const portRequest = (id: string) => {
  const portId = id as PortId;
  return vdpaRequest(1, { requestId: `for-${id}` as never, portId }) as never;
};

let here: AgentSide;
let there: AgentSide;

beforeEach(async () => {
  here = await AgentSide.of('06', vm1);
  there = await AgentSide.of('81', vm1);
  const booting = { name: 'booting' } as const;
  await here.life.boot({ instance: vm1, numaCells: null, phase: booting, untold: [] }, [
    portRequest('p1'),
  ]);
});
afterEach(async () => {
  await here.end();
  await there.end();
});

const migrate = () => here.departure.migrate(here.now, there.socket, null);
const fails = (words: string) => async (): Promise<void> => {
  throw new AgentError('TRANSFER_FAILED', words);
};

describe('a guest that stays', () => {
  test('is never run at the destination, which has all of an old state of it', async () => {
    await there.listen();
    here.hypervisor.sending = async () => {
      there.hypervisor.qemu = 'paused';
      await there.beAway();
      await fails('cancelled')();
    };
    await expect(migrate()).rejects.toThrow('cancelled');
    expect(here.now).toMatchObject({ phase: { name: 'running' }, untold: [{ to: there.socket }] });
    expect(here.host.inGuest(vm1)).toHaveLength(1);
    // Hours later it ends by itself.
    here.hypervisor.die();
    await there.listen();
    await here.settlement.of(here.now);
    expect(there.hypervisor.log).toEqual([]);
    expect(there.instances.find(vm1)).toBeNull();
    expect(there.host.tracker.claims()).toEqual([]);
    expect(here.now).toMatchObject({ phase: { name: 'running' }, untold: [] });
    await here.life.start(here.now);
    expect(here.host.inGuest(vm1)).toHaveLength(1);
  }, 30_000);

  test('works on while its destination is lost for good', async () => {
    await there.listen();
    here.hypervisor.sending = async () => {
      await there.beAway();
      await fails('the host is lost')();
    };
    await expect(migrate()).rejects.toThrow('lost');
    await here.life.suspend(here.now);
    expect(here.now).toMatchObject({ phase: { name: 'suspended' }, untold: [{}] });
    await here.life.resume(here.now);
    await here.life.delete(here.now);
    expect(here.host.tracker.claims()).toEqual([]);
  }, 30_000);

  test('and cannot get back what it had is tried again; the destination is told at once', async () => {
    await there.listen();
    here.hypervisor.sending = fails('cancelled');
    here.host.guests.failing = (line) =>
      line.startsWith('attach') ? new VdpaError('DEVICE_NOT_FOUND', 'gone') : null;
    await expect(migrate()).rejects.toThrow('cancelled');
    expect(here.now).toMatchObject({ phase: { name: 'staying' }, untold: [] });
    expect(there.instances.find(vm1)).toBeNull();
    expect(there.host.tracker.claims()).toEqual([]);
    await expect(here.settlement.of(here.now)).rejects.toMatchObject({ code: 'DEVICE_NOT_FOUND' });
    here.host.guests.failing = () => null;
    await here.settlement.of(here.now);
    expect(here.now).toMatchObject({ phase: { name: 'running' } });
    expect(here.host.inGuest(vm1)).toHaveLength(1);
  });
});

describe('a guest that has left', () => {
  test('is kept here until its destination has noted it', async () => {
    await there.listen();
    const { enter } = there.instances;
    here.hypervisor.sending = async () => {
      here.hypervisor.qemu = 'postmigrate';
      there.hypervisor.qemu = 'paused';
      there.instances.enter = async () => {
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      };
    };
    await expect(migrate()).rejects.toThrow('no space');
    expect(here.now).toMatchObject({ phase: { name: 'left' } });
    expect(here.hypervisor.qemu).toBe('postmigrate');
    there.instances.enter = enter;
    await here.settlement.of(here.now);
    expect(here.instances.find(vm1)).toBeNull();
    expect(there.now).toMatchObject({ phase: { name: 'running' } });
    expect(there.hypervisor.log).toEqual(['run']);
    expect(there.host.inGuest(vm1)).toHaveLength(1);
  });

  test('also when its QEMU here ended before that was known', async () => {
    await there.listen({ arrived: async () => Promise.reject(new Error('it hangs')) });
    here.hypervisor.sending = async () => {
      here.hypervisor.die();
      await fails('gone')();
    };
    await expect(migrate()).rejects.toThrow('gone');
    expect(here.now).toMatchObject({ phase: { name: 'leaving' } });
    // What the library makes of it meanwhile.
    await here.host
      .started()
      .liveMigration.abort(vm1)
      .catch(() => {});
    expect(here.host.tracker.operationOf(vm1)).toMatchObject({ kind: 'stop' });
    await there.beAway();
    there.hypervisor.qemu = 'paused';
    await there.listen();
    await here.departure.settle(here.leaving);
    expect(here.instances.find(vm1)).toBeNull();
    expect(here.host.tracker.claims()).toEqual([]);
    expect(there.now).toMatchObject({ phase: { name: 'running' } });
  });
});

test('an instance whose guest has ended in a migration is started, and not suspended', async () => {
  await there.listen();
  here.hypervisor.sending = async () => {
    here.hypervisor.die();
    await fails('gone')();
  };
  await expect(migrate()).rejects.toThrow('gone');
  expect(here.host.tracker.operationOf(vm1)).toMatchObject({ kind: 'stop', step: 'unplugged' });
  await expect(here.life.suspend(here.now)).rejects.toMatchObject({ code: 'WRONG_PHASE' });
  expect(here.now).toMatchObject({ phase: { name: 'running' } });
  await here.life.start(here.now);
  expect(here.host.inGuest(vm1)).toHaveLength(1);
});

test.each(['settle', 'resume'])('a state that has not run on is kept (%s)', async (how) => {
  await here.life.suspend(here.now);
  const { forgetSaved } = here.hypervisor;
  here.hypervisor.forgetSaved = async () => {
    throw new Error('power cut');
  };
  await expect(here.life.resume(here.now)).rejects.toThrow('power cut');
  expect(here.now).toMatchObject({ phase: { name: 'resuming' } });
  here.hypervisor.die();
  here.hypervisor.forgetSaved = forgetSaved;
  here.hypervisor.log.length = 0;
  if (how === 'settle') {
    await here.settlement.of(here.now);
    expect(here.now).toMatchObject({ phase: { name: 'suspended' } });
    expect(await here.hypervisor.hasSaved()).toBe(true);
  }
  await here.life.resume(here.now);
  expect(here.hypervisor.log).toEqual(['load', 'run']);
  expect(here.host.inGuest(vm1)).toHaveLength(1);
});

test('an attach that is refused gives back what it took', async () => {
  const { tracker } = here.host;
  const operation = { instance: vm1, kind: 'stop', step: 'unplugged', detail: {} };
  await tracker.setOperation(vm1, null, operation);
  const before = free(tracker);
  await expect(here.ports.attach(here.now, portRequest('p2'))).rejects.toMatchObject({
    code: 'OPERATION_UNDER_WAY',
  });
  expect(free(tracker)).toEqual(before);
});
