import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as command from '../../support/lab-command.js';
import { LabGuest } from '../../support/lab-guest.js';
import {
  addDevice,
  bind,
  charNodeOf,
  eachOnBareHost,
  enableVfs,
  hold,
  letGo,
  long,
  pfA,
  until,
  vdpaJson,
  vfOf,
} from '../../support/lab-host.js';

eachOnBareHost();

const guests = LabGuest.folder();
let guest: LabGuest;
beforeAll(async () => {
  guest = await LabGuest.start(guests, 'vm1');
});
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  rmSync(guests, { recursive: true });
});

const mac = '02:00:00:00:be:ef';
const reference = (of = guest): string => `qmp:${of.monitor.replace('{guest}', of.id)}`;
const deviceSpec = [{ physical_network: 'net1' }];

let folder: string;
let config: string;
const running: command.Started[] = [];
const vdpaHost = (...argv: readonly string[]) => command.vdpaHost(config, ...argv);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plug-'));
  config = join(folder, 'config.json');
  const listed = { qmp: { monitor: guest.monitor } };
  writeFileSync(config, JSON.stringify({ deviceSpec, store: 'store', guests: listed }));
  enableVfs(pfA, 2);
  for (const index of [0, 1]) {
    addDevice(`vdpa${index}`, `pci/${vfOf(pfA, index)}`);
    bind(`vdpa${index}`, 'vhost_vdpa');
  }
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(command.killed));
  const left = await guest.things();
  // Before the devices go, which would wait for good for whoever has them open.
  if (left.length > 0) await vdpaHost('detach', '--instance', 'vm1');
  rmSync(folder, { recursive: true });
  expect(left).toEqual([]);
});

async function agent(): Promise<command.Started> {
  const program = await command.started('ready', command.main, 'agent', '--config', config);
  running.push(program);
  return program;
}

/** The document that a command prints. */
async function printed(...argv: readonly string[]) {
  const { code, stdout, stderr } = await vdpaHost(...argv, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

const claimFor = (instance: string, ...more: readonly string[]) =>
  printed('claim', '--instance', instance, '--physnet', 'net1', ...more);

describe('the commands', () => {
  test.each(['without an agent', 'with one'])(
    'plug what was claimed in and out, %s',
    async (how) => {
      const owner = how === 'with one' ? await agent() : null;
      await claimFor('vm1', '--id', 'c1', '--mac', mac, '--port', 'p1');
      const attached = await printed('attach', '--instance', 'vm1', '--guest', reference());
      expect(attached).toMatchObject({
        guest: reference(),
        claims: ['c1'],
        interfaces: [{ claimId: 'c1', mac, state: 'attached', charDevice: charNodeOf('vdpa1') }],
      });
      expect(guest.openDevices()).toContain(charNodeOf('vdpa1'));
      expect(vdpaJson('dev', 'config', 'show', 'vdpa1')['config']?.['vdpa1']).toMatchObject({
        mac,
      });
      expect((await printed('guests')).guests).toEqual([
        { guest: reference(), claims: ['c1'], interfaces: attached.interfaces, error: null },
      ]);
      expect((await printed('claims')).claims).toMatchObject([
        { id: 'c1', status: 'allocated', guest: reference() },
      ]);
      // What a guest has is given back by nobody else, and looks right.
      expect((await vdpaHost('release', '--claim', 'c1')).stderr).toContain('[CLAIM_IN_GUEST]');
      expect(await vdpaHost('audit')).toMatchObject({ code: 0 });
      const detached = await vdpaHost('detach', '--instance', 'vm1');
      expect(detached).toMatchObject({
        code: 0,
        stderr: expect.stringContaining(`take pci/${vfOf(pfA, 1)} out of ${reference()} ...\n`),
      });
      expect((await printed('claims')).claims).toEqual([]);
      await letGo(await hold(charNodeOf('vdpa1')));
      if (owner === null) return;
      owner.child.kill('SIGTERM');
      expect(await once(owner.child, 'exit')).toEqual([0, null]);
    },
  );

  test('give a guest all of an instance or nothing, and say why', async () => {
    await claimFor('vm1', '--id', 'c1', '--mac', mac);
    await claimFor('vm1', '--id', 'c2', '--mac', '02:00:00:00:be:f0');
    const holder = await hold(charNodeOf('vdpa0'));
    const busy = await vdpaHost('attach', '--instance', 'vm1', '--guest', reference());
    expect(busy).toMatchObject({ code: 1, stdout: '' });
    expect(busy.stderr).toMatch(/\[DEVICE_BUSY\]/);
    await letGo(holder);
    expect(await guest.things()).toEqual([]);
    expect((await printed('claims')).claims).toMatchObject([{ guest: null }, { guest: null }]);
    const nobody = `qmp:${join(guests, 'nobody.qmp')}`;
    const absent = await vdpaHost('attach', '--instance', 'vm1', '--guest', nobody);
    expect(absent.stderr).toContain('[GUEST_NOT_FOUND]');
    await printed('release', '--instance', 'vm1');
  });
});

describe('a process that is killed in the middle', () => {
  test('of an attach or a detach leaves what the next one recognises', async () => {
    const rounds = long ? 40 : 2;
    for (let round = 0; round < rounds; round++) {
      await claimFor('vm1', '--id', 'c1', '--mac', mac, '--count', '1');
      const attach = ['attach', '--instance', 'vm1', '--guest', reference()];
      const begun = await command.started(
        round % 2 === 0 ? 'give pci/' : 'note that claim',
        command.main,
        ...attach,
        '--config',
        config,
      );
      // Each time somewhat later, over about what an attach takes.
      await sleep((round * 300) / rounds);
      await command.killed(begun);
      if (round % 2 === 0) {
        expect(await printed(...attach)).toMatchObject({ interfaces: [{ state: 'attached' }] });
        const out = ['detach', '--instance', 'vm1', '--config', config];
        await command.killed(await command.started('take pci/', command.main, ...out));
      }
      const last = await vdpaHost('detach', '--instance', 'vm1');
      // It may have come to its end before it was killed.
      if (last.code !== 0) expect(last.stderr).toContain('[CLAIM_NOT_FOUND]');
      expect((await printed('claims')).claims).toEqual([]);
      expect(await guest.things()).toEqual([]);
      await letGo(await hold(charNodeOf('vdpa1')));
    }
  });

  test('is followed by an agent that brings claim and guest together', async () => {
    await claimFor('vm1', '--id', 'c1', '--mac', mac);
    const first = await agent();
    const attach = ['attach', '--instance', 'vm1', '--guest', reference(), '--config', config];
    await command.started('give pci/', command.main, ...attach);
    await command.killed(first);
    const second = await agent();
    await until(() => second.lines.some((line) => line.includes('claim and guest')));
    const [claim] = (await printed('claims')).claims;
    const things = await guest.things();
    if (claim.guest === null) expect(things).toEqual([]);
    else expect(claim).toMatchObject({ guest: reference(), status: 'allocated' });
    expect(await vdpaHost('audit')).toMatchObject({ code: 0 });
    await printed('detach', '--instance', 'vm1');
  });
});

test('what a guest lets go of by itself is known to the agent, and of one that has ended all', async () => {
  await using other = await LabGuest.start(guests, 'vm2');
  await claimFor('vm2', '--id', 'c1', '--mac', mac);
  const owner = await agent();
  const attach = ['attach', '--instance', 'vm2', '--guest', reference(other)];
  const [{ name }] = (await printed(...attach)).interfaces;
  const isOut = async () => (await printed('claims')).claims[0].guest === null;
  expect(await isOut()).toBe(false);
  await other.ask('device_del', { id: name });
  await until(isOut);
  expect(await other.things()).toEqual([]);
  await letGo(await hold(charNodeOf('vdpa1')));

  await printed(...attach);
  await other.kill();
  await until(isOut);
  expect(owner.lines.join('\n')).toContain('claim and guest: together');
  expect(await printed('claims')).toMatchObject({ claims: [{ id: 'c1', status: 'allocated' }] });
  await printed('release', '--claim', 'c1');
});

test('a guest that has ended has nothing, and what it had is given back', async () => {
  await using victim = await LabGuest.start(guests, 'vm2');
  await claimFor('vm2', '--id', 'c1', '--mac', mac);
  const first = await agent();
  await printed('attach', '--instance', 'vm2', '--guest', reference(victim));
  await Promise.all([victim.kill(), command.killed(first)]);
  const listed = { guest: reference(victim), claims: ['c1'], interfaces: [], error: null };
  expect((await printed('guests')).guests).toContainEqual(listed);
  const second = await agent();
  await until(() => second.lines.some((line) => line.includes('claim and guest')));
  expect((await printed('claims')).claims).toMatchObject([{ id: 'c1', guest: null }]);
  await printed('release', '--claim', 'c1');
  await letGo(await hold(charNodeOf('vdpa1')));
});
