import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as command from '../support/lab-command.js';
import {
  addDevice,
  bind,
  deviceNames,
  eachOnBareHost,
  enableVfs,
  long,
  pfA,
  pfB,
  until,
  vfOf,
} from '../support/lab-host.js';

eachOnBareHost();

const stormingAgent = new URL('../support/storming-agent.mjs', import.meta.url).pathname;

let folder: string;
let config: string;
const running: command.Started[] = [];
const vdpaHost = (...argv: readonly string[]) => command.vdpaHost(config, ...argv);

async function started(word: string, ...argv: readonly string[]): Promise<command.Started> {
  const program = await command.started(word, ...argv);
  running.push(program);
  return program;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-'));
  config = join(folder, 'config.json');
  writeFileSync(
    config,
    JSON.stringify({ deviceSpec: [{ physical_network: 'net1' }], store: 'store' }),
  );
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(command.killed));
  rmSync(folder, { recursive: true });
});

function devices(count: number): void {
  enableVfs(pfA, count);
  for (let index = 0; index < count; index++) {
    addDevice(`vdpa${index}`, `pci/${vfOf(pfA, index)}`);
    bind(`vdpa${index}`, 'vhost_vdpa');
  }
}

const claimOne = (instance: string, id: string) =>
  vdpaHost('claim', '--instance', instance, '--physnet', 'net1', '--id', id, '--json');

describe('the commands', () => {
  test('work without an agent, each owning the store in turn', async () => {
    devices(2);
    const made = await claimOne('vm1', 'c1');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(made.stdout).claim.devices).toMatchObject([{ name: 'vdpa1' }]);
    expect((await claimOne('vm1', 'c1')).stdout).toBe(made.stdout);
    expect(JSON.parse((await vdpaHost('claims', '--json')).stdout).claims).toHaveLength(1);
    expect(JSON.parse((await vdpaHost('pools', '--json')).stdout).pools).toMatchObject([
      { count: 1, keys: { dev_type: 'vdpa', physical_network: 'net1' } },
      { keys: { dev_type: 'type-PF', address: pfB } },
    ]);
    expect(await vdpaHost('release', '--claim', 'c1')).toMatchObject({ code: 0 });
    expect(await vdpaHost('audit')).toMatchObject({ code: 0 });
  });

  test('ask the agent when one runs, and it sees devices come by itself', async () => {
    const { child: agent } = await started('ready', command.main, 'agent', '--config', config);
    expect((await claimOne('vm1', 'c1')).stderr).toContain('CLAIM_UNSATISFIABLE');
    devices(1);
    await until(async () => (await claimOne('vm1', 'c1')).code === 0);
    expect(JSON.parse((await vdpaHost('claims', '--json')).stdout).claims).toMatchObject([
      { id: 'c1', instance: 'vm1', devices: [{ name: 'vdpa0' }] },
    ]);
    agent.kill('SIGTERM');
    const [code] = await once(agent, 'exit');
    expect(code).toBe(0);
    expect(await vdpaHost('release', '--instance', 'vm1')).toMatchObject({ code: 0 });
  });

  test('say who owns the store when it does not answer, and what a configuration lacks', async () => {
    writeFileSync(config, '{"deviceSpec": []}');
    const { code, stderr } = await vdpaHost('claims');
    expect(code).toBe(1);
    expect(stderr).toContain(`${config}: store: `);
    expect(stderr).toContain('[CONFIG_INVALID]');
  });

  test('claim, release and delete in the middle of an agent’s own storm', async () => {
    devices(6);
    const { child: agent, lines } = await started('ready', stormingAgent, config);
    const rounds = long ? 40 : 1;
    const ours = async (name: string): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        const id = `${name}-${round}`;
        const claim = await claimOne(name, id);
        if (claim.code === 0) {
          expect(await vdpaHost('release', '--claim', id)).toMatchObject({ code: 0 });
        } else expect(claim.stderr).toContain('CLAIM_UNSATISFIABLE');
      }
    };
    const deleting = (async () => {
      for (let round = 0; round < rounds; round++) {
        expect(await vdpaHost('delete', 'vdpa0')).toMatchObject({ code: 0 });
        expect(deviceNames()).not.toContain('vdpa0');
        addDevice('vdpa0', `pci/${vfOf(pfA, 0)}`);
        bind('vdpa0', 'vhost_vdpa');
      }
    })();
    await Promise.all([ours('one'), ours('two'), deleting]);
    agent.kill('SIGTERM');
    await once(agent, 'exit');
    const told = JSON.parse(lines.at(-1) ?? '');
    expect(told).toMatchObject({ doubled: [], left: [] });
    expect(told.claimed).toBeGreaterThan(0);
    expect(await vdpaHost('audit')).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'store')).length).toBeGreaterThan(0);
  });
});
