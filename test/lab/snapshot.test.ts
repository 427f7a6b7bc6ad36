import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

describe('a snapshot', () => {
  test('has every live device when others are deleted between two receives of a dump', () => {
    const seen = JSON.parse(lab.run('build/native-test/lab/dump_race'));

    // The kernel's own dump loses live devices: without that, this would prove nothing.
    expect(seen.dumpInterruptions).toBe(1);
    expect(seen.dumpMissing).toBeGreaterThan(0);
    expect(seen).toMatchObject({
      snapshotInterruptions: 3,
      snapshotMissing: 0,
      duplicates: 0,
      consistent: false,
      attempts: 3,
    });
    expect(seen.listed).toBe(seen.alive);
  });

  test('has every device that lives throughout while another process deletes and re-adds', async () => {
    const rounds = lab.long ? 100 : 2;
    const devices = lab.long ? 600 : 420;
    lab.enableVfs(lab.pfA, 8);
    // Some before, some after, some between those that come and go; more than one receive holds.
    const names = Array.from({ length: devices }, (_, i) =>
      i % 3 === 0 ? `churn${i}` : `stable${i}`,
    );
    const stable = names.filter((name) => name.startsWith('stable'));
    names.slice(0, 8).forEach((name, i) => {
      lab.addDevice(name, `pci/${lab.vfOf(lab.pfA, i)}`);
    });
    const simulators = names.slice(8);
    lab.run('build/native-test/lab/sims', 'add', ...simulators);
    const churn = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import { openNativeHost } from '${process.cwd()}/dist/native.js';
       const native = openNativeHost('/');
       const bare = { mac: null, mtu: null, maxVqPairs: null, features: null };
       console.log('ready');
       for (let i = 9; ; i = i < ${devices - 3} ? i + 3 : 9) {
         const request = { name: 'churn' + i, managementBus: '', managementName: 'vdpasim_net', ...bare };
         await native.deleteDevice(request.name, 10000);
         await native.addDevice(request, 10000);
       }`,
    ]);
    try {
      await once(churn.stdout, 'data');
      await using host = await VdpaHost.open();
      let disturbed = 0;
      for (let round = 0; round < rounds; round++) {
        const { devices: seen, consistent } = await host.inventory();
        const listed = seen.map(({ name }) => name as string);
        expect(stable.filter((name) => !listed.includes(name))).toEqual([]);
        expect(new Set(listed).size).toBe(listed.length);
        const unmanaged = seen.filter(
          ({ name, class: kind }) => name.startsWith('stable') && kind === null,
        );
        expect(unmanaged).toEqual([]);
        if (!consistent) disturbed++;
      }
      // The other process was at work while we read.
      expect(disturbed).toBeGreaterThan(0);
    } finally {
      churn.kill('SIGKILL');
      await once(churn, 'close');
    }
    await using host = await VdpaHost.open();
    expect((await host.inventory()).consistent).toBe(true);
    const left = new Set(lab.deviceNames());
    lab.run('build/native-test/lab/sims', 'delete', ...simulators.filter((name) => left.has(name)));
  });
});
