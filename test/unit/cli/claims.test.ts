import { describe, expect, test } from 'vitest';
import { documentSchemas } from '../../../src/cli/schema.js';
import type { InstanceId } from '../../../src/tracker/claim.js';
import { fakeConfig, fakeDesk } from './support/fake-desk.js';
import { runCli } from './support/run-cli.js';

const owner = '1e4fdc1e-7f3d-4bb7-a4c0-0a2b7b0ff7c2';

describe('claim', () => {
  const claim = (...more: readonly string[]) => [
    'claim',
    '--instance',
    'vm7',
    '--physnet',
    'net1',
    ...more,
  ];

  test('prints the char devices that it took, and under its id takes them once', async () => {
    const desk = fakeDesk();
    const first = await runCli(claim('--id', 'c7', '--count', '2', '--json'), { desk });
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const document = documentSchemas.claim.parse(JSON.parse(first.stdout));
    expect(document.claim).toMatchObject({ id: 'c7', instance: 'vm7', status: 'claimed' });
    expect(document.claim.devices.map(({ charDevice }) => charDevice)).toEqual([
      '/dev/vhost-vdpa-1',
      '/dev/vhost-vdpa-0',
    ]);
    const again = await runCli(claim('--id', 'c7', '--count', '2', '--json'), { desk });
    expect(again.stdout).toBe(first.stdout);
    const other = await runCli(claim('--id', 'c7', '--count', '1'), { desk });
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toContain('[CLAIM_CONFLICT]');
  });

  test('keeps port, MAC, guest nodes and policy with the claim', async () => {
    const { stdout } = await runCli(
      claim('--port', 'p1', '--mac', '52:54:00:AB:CD:EF', '--numa', '0,1,0', '--json'),
      { config: { ...fakeConfig, numa: { policy: 'preferred' } } },
    );
    expect(JSON.parse(stdout).claim).toMatchObject({
      numaCells: [0, 1],
      requests: [{ portId: 'p1', mac: '52:54:00:ab:cd:ef', numaPolicy: 'preferred', count: 1 }],
    });
  });

  test('takes tunnelled devices only where that is said', async () => {
    const { code, stderr } = await runCli(['claim', '--instance', 'vm7', '--tunnelled']);
    expect(code).toBe(1);
    expect(stderr).toContain('0 of 1 to be had [CLAIM_UNSATISFIABLE]');
  });

  test.each([
    [['claim', '--physnet', 'net1'], 'claim wants --instance'],
    [['claim', '--instance', 'vm7'], 'either --physnet NET or --tunnelled'],
    [claim('--tunnelled'), 'either --physnet NET or --tunnelled'],
    [claim('--count', '0'), '--count'],
    [claim('--count', '2', '--port', 'p1'), 'a port has one device'],
    [claim('--mac', '01:00:00:00:00:00'), 'is no MAC'],
    [claim('--numa', '0,x'), '--numa wants numbers'],
    [claim('--numa-policy', 'near'), 'required, socket, preferred, legacy'],
    [claim('--id', ''), '--id wants a value'],
    [claim('more'), 'claim takes no argument'],
  ])('%j is a wrong command line, on any machine', async (argv, words) => {
    const { code, stderr, stdout } = await runCli(argv, { config: null });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(words);
  });
});

describe('release', () => {
  test.each([
    [[], false],
    [['--force'], true],
  ])('with %j of what a guest has', async (more, force) => {
    const asked: object[] = [];
    const desk: ReturnType<typeof fakeDesk> = {
      ...fakeDesk(),
      release: async (selection) => {
        asked.push(selection);
        return [];
      },
    };
    const { code } = await runCli(['release', '--claim', 'c1', ...more], { desk });
    expect({ code, asked }).toEqual({ code: 0, asked: [{ claim: 'c1', force }] });
  });

  test('gives back an instance’s devices, and may be repeated', async () => {
    const desk = fakeDesk();
    const first = await runCli(['release', '--instance', owner, '--json'], { desk });
    expect(documentSchemas.release.parse(JSON.parse(first.stdout)).devices).toEqual([
      'pci/0000:65:00.3',
    ]);
    const again = await runCli(['release', '--instance', owner], { desk });
    expect(again).toMatchObject({ code: 0, stdout: 'nothing to give back\n' });
    expect((await runCli(['claims'], { desk })).stdout).toBe('nobody has a device\n');
  });

  test.each([[[]], [['--instance', 'a', '--claim', 'b']]])(
    'wants an instance or a claim, not %j',
    async (more) => {
      expect(await runCli(['release', ...more])).toMatchObject({ code: 2, stdout: '' });
    },
  );
});

describe('claims and pools', () => {
  test('tell which instances are in the middle of an operation', async () => {
    const operations = [
      { instance: owner as InstanceId, kind: 'suspend', step: 'unplugged', detail: { guest: 'x' } },
    ];
    const lines = (await runCli(['claims'], { operations })).stdout.split('\n');
    expect(lines.slice(-2)).toEqual([`${owner} is in operation suspend (unplugged)`, '']);
    const document = JSON.parse((await runCli(['claims', '--json'], { operations })).stdout);
    expect(documentSchemas.claims.parse(document).operations).toEqual([
      { instance: owner, kind: 'suspend', step: 'unplugged' },
    ]);
  });

  test('are as their schemas say', async () => {
    const claims = JSON.parse((await runCli(['claims', '--json'])).stdout);
    expect(documentSchemas.claims.parse(claims)).toEqual(claims);
    expect(claims.claims).toHaveLength(1);
    const none = JSON.parse((await runCli(['claims', '--instance', 'vm7', '--json'])).stdout);
    expect(none.claims).toEqual([]);
    const pools = JSON.parse((await runCli(['pools', '--json'])).stdout);
    expect(documentSchemas.pools.parse(pools)).toEqual(pools);
    expect(pools.pools).toMatchObject([
      { count: 2, devices: ['pci/0000:65:00.2', 'pci/0000:65:00.1'] },
    ]);
  });
});

describe('audit and heal', () => {
  test('judge whose claims are whose only when told who lives', async () => {
    expect(await runCli(['audit'])).toMatchObject({ code: 0 });
    expect(await runCli(['audit', '--instance', 'vm7', '--instance', owner])).toMatchObject({
      code: 0,
    });
    const { code, stdout } = await runCli(['audit', '--instance', 'vm7', '--json']);
    expect(code).toBe(1);
    const document = documentSchemas.audit.parse(JSON.parse(stdout));
    expect(document.findings).toMatchObject([{ code: 'claim-orphaned', healable: true }]);
  });

  test('ask first, and do nothing when the answer is no', async () => {
    const desk = fakeDesk();
    const asked: string[] = [];
    const answering = (answer: boolean) => ({
      desk,
      confirm: async (question: string) => {
        asked.push(question);
        return answer;
      },
    });
    const argv = ['heal', '--no-instances'];
    expect(await runCli(argv, answering(false))).toMatchObject({ code: 1, stdout: '' });
    expect(asked[0]).toContain('claim-orphaned');
    expect(asked[0]).toMatch(/Set this right\? \[y\/N\] $/);
    expect(await desk.claims()).toHaveLength(1);
    expect(await runCli(argv, answering(true))).toMatchObject({
      code: 0,
      stdout: 'set right: 1\n',
    });
    expect(await desk.claims()).toEqual([]);
    expect(await runCli(argv, answering(true))).toMatchObject({
      code: 0,
      stdout: 'nothing to set right\n',
    });
    expect(asked).toHaveLength(2);
  });

  test('want --yes where nobody can be asked', async () => {
    const { code, stderr } = await runCli(['heal', '--no-instances']);
    expect(code).toBe(2);
    expect(stderr).toContain('wants --yes');
    const done = await runCli(['heal', '--no-instances', '--yes', '--json']);
    expect(documentSchemas.heal.parse(JSON.parse(done.stdout)).findings).toHaveLength(1);
  });

  test('are told of instances or of none, not of both', async () => {
    expect(await runCli(['audit', '--no-instances', '--instance', 'a'])).toMatchObject({ code: 2 });
    expect(await runCli(['audit', '--instance', ''])).toMatchObject({ code: 2 });
  });
});

test('an agent says where it answers, and that it has ended', async () => {
  const { code, stdout, stderr } = await runCli(['agent']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toBe(
    'vdpa-host: info: ready: answering socket=/var/lib/vdpa-host/store.sock\nvdpa-host: info: ended\n',
  );
  const json = (await runCli(['agent', '--json'])).stderr.trim().split('\n');
  expect(json.map((line) => JSON.parse(line).message)).toEqual(['ready: answering', 'ended']);
});
