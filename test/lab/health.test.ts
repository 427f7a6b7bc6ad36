import { rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/run.js';
import { type HostEvent, VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

let host: VdpaHost;
beforeEach(async () => {
  lab.enableVfs(lab.pfA, 3);
  for (const vf of [0, 1]) {
    lab.addDevice(`vdpa${vf}`, `pci/${lab.vfOf(lab.pfA, vf)}`);
    lab.bind(`vdpa${vf}`, 'vhost_vdpa');
  }
  host = await VdpaHost.open({ timeoutMs: 2000 });
});
afterEach(async () => {
  lab.nicParameter('link_down', -1);
  lab.nicParameter('config_delay_ms', 0);
  await host.close();
});

describe('health', () => {
  test('tells driver, node and link of each device, as iproute2 has the link', async () => {
    lab.addDevice('blk0', 'vdpasim_blk');
    lab.unbind('vdpa0', 'vhost_vdpa');
    lab.nicParameter('link_down', 1);
    const parts = (await host.health()).map(({ name, driver, node, link, healthy }) => [
      name,
      driver,
      node,
      link,
      healthy,
    ]);
    expect(parts).toEqual([
      ['blk0', 'none', null, null, false],
      ['vdpa0', 'none', null, 'up', false],
      ['vdpa1', 'ok', 'ok', 'down', false],
    ]);
    expect(lab.vdpaJson('dev', 'config', 'show', 'vdpa1')['config']).toMatchObject({
      // Its key has the space that its text needs.
      vdpa1: { 'link ': 'down' },
    });
  });

  test('is no answer for a device that keeps the question, and for those after it', async () => {
    await using quick = await VdpaHost.open({ timeoutMs: 1000 });
    lab.nicParameter('config_delay_ms', lab.untilMadeZero);
    expect((await quick.health()).map(({ name, link }) => [name, link])).toEqual([
      ['vdpa0', 'no-answer'],
      ['vdpa1', 'no-answer'],
    ]);
  });

  test('is in the tree when it is asked for', async () => {
    lab.nicParameter('link_down', 1);
    const draw = async (...argv: string[]) => {
      let text = '';
      const stdout = { write: (chunk: string) => (text += chunk) };
      const io = { stdout, stderr: stdout, isTty: false, env: {}, columns: undefined };
      expect(await run(['tree', ...argv], io)).toBe(0);
      return text;
    };
    expect(await draw()).not.toContain('link');
    const text = await draw('--health');
    expect(text).toMatch(/vdpa0 .*link up +usable$/m);
    expect(text).toMatch(/vdpa1 .*link down +usable$/m);
    expect(text).toMatch(/^2 devices, 2 usable, 0 not usable, 1 with the link down$/m);
  });
});

describe('a watch that asks for health', () => {
  test('tells when driver, node or link fail and when they are well again', async () => {
    await using watch = await host.watch({ rereadMs: 0, healthMs: 20 });
    const told: string[] = [];
    const words = (event: HostEvent) => {
      if (event.type !== 'health') return;
      const { name, driver, node, link } = event.health;
      told.push(`${name} ${driver} ${node} ${link}`);
    };
    const loop = (async () => {
      for await (const event of watch) words(event);
    })();

    lab.nicParameter('link_down', 1);
    await lab.until(() => told.length === 1);
    lab.nicParameter('link_down', -1);
    await lab.until(() => told.length === 2);
    lab.unbind('vdpa1', 'vhost_vdpa');
    await lab.until(() => told.length === 3);
    lab.bind('vdpa1', 'vhost_vdpa');
    await lab.until(() => told.at(-1) === 'vdpa1 ok ok up');
    const path = lab.charNodeOf('vdpa0');
    const { rdev } = statSync(path);
    rmSync(path);
    await lab.until(() => told.at(-1) === 'vdpa0 ok missing up');
    lab.run('mknod', path, 'c', `${rdev >> 8}`, `${rdev & 0xff}`);
    await lab.until(() => told.at(-1) === 'vdpa0 ok ok up');
    await watch.close();
    await loop;

    // The node of one that is bound comes a moment after its driver does.
    expect(told.filter((line) => !/^vdpa1 (?:failed|ok missing)/.test(line))).toEqual([
      'vdpa1 ok ok down',
      'vdpa1 ok ok up',
      'vdpa1 none null up',
      'vdpa1 ok ok up',
      'vdpa0 ok missing up',
      'vdpa0 ok ok up',
    ]);
  });

  test('is not held up by a device that keeps the question', async () => {
    lab.nicParameter('config_delay_ms', lab.untilMadeZero);
    await using watch = await host.watch({ rereadMs: 0, healthMs: 20 });
    const kinds: string[] = [];
    const loop = (async () => {
      for await (const event of watch) {
        kinds.push('device' in event ? `${event.type} ${event.device.name}` : event.type);
      }
    })();
    await lab.until(() => lab.threadsInKernel() > 0);
    lab.unbind('vdpa0', 'vhost_vdpa');
    lab.nicParameter('config_delay_ms', 0);
    await lab.until(() => kinds.includes('unready vdpa0'));
    expect(kinds).toContain('health vdpa0');
    await watch.close();
    await loop;
  });
});
