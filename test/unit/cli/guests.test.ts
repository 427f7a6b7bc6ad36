import { describe, expect, test } from 'vitest';
import { documentSchemas } from '../../../src/cli/schema.js';
import type { GuestDesk } from '../../../src/lifecycle/guest-desk.js';
import { fakeDesk } from './support/fake-desk.js';
import { fakeGuests } from './support/fake-guests.js';
import { runCli } from './support/run-cli.js';

const instance = '1e4fdc1e-7f3d-4bb7-a4c0-0a2b7b0ff7c2';
const claim = '9d0e8a52-1b0c-4f3a-9a53-0c5f3f1f6a41';
const guest = 'qmp:/run/guests/vm1.qmp';

describe('attach', () => {
  const attach = (...more: readonly string[]) => ['attach', '--guest', guest, ...more];

  test('prints what the guest has, and what is being done meanwhile', async () => {
    const { code, stdout, stderr } = await runCli(attach('--instance', instance));
    expect(code).toBe(0);
    expect(stderr).toBe(`give pci/0000:65:00.3 to ${guest} ...\n`);
    expect(stdout).toContain(`${guest} has 1 device\n`);
    expect(stdout).toMatch(
      /pci\/0000:65:00\.3 +52:54:00:00:00:01 +1 +\/dev\/vhost-vdpa-2 +attached/,
    );
  });

  test('prints a document, and then nothing else', async () => {
    const { stdout, stderr } = await runCli(attach('--claim', claim, '--json'));
    expect(stderr).toBe('');
    const document = documentSchemas.attach.parse(JSON.parse(stdout));
    expect(document).toMatchObject({ guest, claims: [claim], interfaces: [{ claimId: claim }] });
  });

  test('passes on what it is told', async () => {
    const guests = fakeGuests(fakeDesk());
    const more = ['--queue-pairs', '4', '--mtu', '9000', '--timeout', '5000', '--port', 'p1'];
    const path = 'qmp:/run/../run/guests/vm1.qmp';
    await runCli(['attach', '--guest', path, '--instance', instance, ...more], { guests });
    expect(guests.calls).toMatchObject([
      {
        devicesOf: { instance, port: 'p1' },
        guest,
        queuePairs: 4,
        mtu: 9000,
        timeoutMs: 5000,
      },
    ]);
  });

  test.each([
    [['attach', '--instance', 'vm1'], 'attach wants --guest'],
    [attach(), 'either --instance ID or --claim ID'],
    [attach('--instance', 'vm1', '--claim', 'c1'), 'either --instance ID or --claim ID'],
    [attach('--claim', 'c1', '--port', 'p1'), '--port goes with --instance'],
    [
      attach('--claim', 'c1', '--mtu', '10'),
      '--mtu wants a whole number of bytes from 68 to 65535',
    ],
    [attach('--claim', 'c1', '--queue-pairs', '0'), '--queue-pairs wants a whole number from 1'],
    [['attach', '--claim', 'c1', '--guest', 'vm1'], '--guest: expected a guest as qmp:PATH'],
    [
      ['attach', '--claim', 'c1', '--guest', 'qmp:run/vm1'],
      '--guest: expected a guest as qmp:PATH',
    ],
    [['attach', '--claim', 'c1', '--guest', 'libvirt:'], '--guest: expected a guest as qmp:PATH'],
  ])('%j is refused', async (argv, message) => {
    const { code, stderr, stdout } = await runCli(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('says why it failed', async () => {
    const argv = ['attach', '--instance', instance, '--guest', 'libvirt:vm1'];
    const { code, stderr } = await runCli(argv);
    expect(code).toBe(1);
    expect(stderr).toContain('libvirt is not to be reached [GUEST_UNREACHABLE]');
    const none = await runCli(attach('--instance', 'vm9'));
    expect(none).toMatchObject({ code: 1, stdout: '' });
    expect(none.stderr).toContain('[CLAIM_NOT_FOUND]');
  });
});

describe('detach', () => {
  test.each([
    [[], 'given back', true],
    [['--keep'], 'still claimed', false],
  ])('with %j says what became of the devices', async (more, words, released) => {
    const guests = fakeGuests(fakeDesk());
    const argv = ['detach', '--instance', instance, ...more];
    const { code, stdout } = await runCli(argv, { guests });
    expect(code).toBe(0);
    expect(stdout).toBe(
      `claim ${claim}: out of no guest, it was in none, and ${words}\n  pci/0000:65:00.3\n`,
    );
    expect(guests.calls).toMatchObject([{ release: released, devicesOf: { instance } }]);
    const { stdout: json } = await runCli([...argv, '--json']);
    expect(documentSchemas.detach.parse(JSON.parse(json))).toMatchObject({ released });
  });
});

describe('guests', () => {
  test('lists each with what it has', async () => {
    const { code, stdout } = await runCli(['guests']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/vm1\.qmp +9d0e8a52\S+ +pci\/0000:65:00\.3 +52:54:00:12:34:56/);
    expect(stdout).toMatch(/vm2\.qmp +none/);
    const { stdout: json } = await runCli(['guests', '--json']);
    expect(documentSchemas.guests.parse(JSON.parse(json)).guests).toHaveLength(2);
  });

  test('ends with 1 when one of them cannot be asked', async () => {
    const listing = {
      guest: 'libvirt:vm1',
      claims: [claim as never],
      interfaces: [],
      error: { code: 'GUEST_UNREACHABLE', message: 'libvirt is not to be reached' },
    };
    const guests: GuestDesk = { ...fakeGuests(fakeDesk()), guests: async () => [listing] };
    const { code, stdout } = await runCli(['guests'], { guests });
    expect(code).toBe(1);
    expect(stdout).toContain('libvirt is not to be reached');
    const { stdout: json } = await runCli(['guests', '--json'], { guests });
    expect(documentSchemas.guests.parse(JSON.parse(json)).guests).toMatchObject([listing]);
  });

  test('says when there are none', async () => {
    const guests: GuestDesk = { ...fakeGuests(fakeDesk()), guests: async () => [] };
    expect((await runCli(['guests'], { guests })).stdout).toMatch(/^no guest: /);
  });
});
