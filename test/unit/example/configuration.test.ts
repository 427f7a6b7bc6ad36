import { expect, test } from 'vitest';
import {
  parseConfiguration,
  readConfiguration,
} from '../../../examples/compute-agent/configuration.js';

const least = {
  host: 'host-a',
  deviceSpec: [{ physical_network: 'net1' }],
  store: '/var/lib/agent/claims',
  socket: '/run/agent/socket',
  folder: '/var/lib/agent/instances',
  qemu: ['qemu-system-x86_64', '-m', '128'],
};
const parsed = (changes: object) =>
  parseConfiguration(JSON.stringify({ ...least, ...changes }), 'agent.json');

test('a configuration has all that is given, and a bandwidth', () => {
  expect(parsed({})).toEqual({ ...least, migrationBandwidth: 2 ** 30 });
  expect(parsed({ migrationBandwidth: 1 }).migrationBandwidth).toBe(1);
});

test.each([
  ['host', { host: undefined }],
  ['folder', { folder: 'instances' }],
  ['folder', { folder: '/with,comma' }],
  ['socket', { socket: '/with space' }],
  ['qemu', { qemu: [] }],
  ['deviceSpec', { deviceSpec: {} }],
  ['migrationBandwidth', { migrationBandwidth: 0 }],
  ['other', { other: 1 }],
])('what is wrong is named: %s', (key, changes) => {
  expect(() => parsed(changes)).toThrow(
    expect.objectContaining({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringMatching(new RegExp(`^agent.json: .*${key}`, 's')),
    }),
  );
});

test('a file that is not there, or no JSON, is named', async () => {
  await expect(readConfiguration('/not/there.json')).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringContaining('/not/there.json: Error: ENOENT'),
  });
  expect(() => parseConfiguration('{', 'agent.json')).toThrow('agent.json: SyntaxError');
});
