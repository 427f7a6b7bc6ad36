import { expect, test } from 'vitest';
import { type Ask, freePort, givenNodes, knowsVhostVdpa } from '../../../src/guest/qemu-state.js';
import { QmpRefusal } from '../../../src/guest/qmp-connection.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import { interfaceName } from '../../../src/index.js';
import type { ClaimId } from '../../../src/tracker/claim.js';

const name = interfaceName('claim1' as ClaimId, 'vdpa/sim0' as DeviceId);

const answering =
  (value: unknown): Ask =>
  async () =>
    value;

test('only fdsets of ours are read, and all of their text', async () => {
  const ask = answering([
    { 'fdset-id': 1, fds: [{ fd: 9, opaque: `${name} 254:0 /dev/vhost-vdpa-0` }] },
    { 'fdset-id': 2, fds: [{ fd: 10 }, { fd: 11, opaque: '/dev/vhost-vdpa-1' }] },
    { 'fdset-id': 3, fds: [{ fd: 12, opaque: 'net0 254:0 /dev/vhost-vdpa-0' }] },
    { 'fdset-id': 4, fds: [] },
  ]);
  expect(await givenNodes(ask)).toEqual([
    { name, fdset: 1, path: '/dev/vhost-vdpa-0', major: 254, minor: 0 },
  ]);
  await expect(givenNodes(answering({}))).rejects.toMatchObject({ code: 'GUEST_PROTOCOL' });
  await expect(givenNodes(answering([{ fds: [] }]))).rejects.toMatchObject({
    code: 'GUEST_PROTOCOL',
  });
});

test('a port is free that has no device and takes one, in order of their numbers', async () => {
  const taken = new Set(['rp2']);
  const ask: Ask = async (command, given = {}) => {
    const path = String(given['path']);
    if (command === 'qom-get') {
      if (path.endsWith('rp3')) throw new QmpRefusal('qom-get', 'GenericError', 'no property');
      return !path.endsWith('rp4');
    }
    if (path === '/machine/peripheral') {
      return ['rp10', 'rp2', 'rp3', 'rp4', 'net0'].map((id) => ({
        name: id,
        type: `child<${id === 'net0' ? 'virtio-net-pci' : 'pcie-root-port'}>`,
      }));
    }
    const isTaken = taken.has(path.replace(/^.*\//, ''));
    return isTaken ? [{ name: 'child[0]', type: 'link<virtio-net-pci>' }] : [];
  };
  // In turn all that are free; none of the others in between.
  for (const port of ['rp3', 'rp10']) {
    expect(await freePort(ask)).toBe(port);
    taken.add(port);
  }
  expect(await freePort(ask)).toBeNull();
});

test('a QEMU without vhost-vdpa is known by its schema', async () => {
  const schema = (...values: string[]) =>
    answering([
      { name: '1', 'meta-type': 'object', members: [] },
      { name: '2', 'meta-type': 'enum', values },
    ]);
  expect(await knowsVhostVdpa(schema('user', 'vhost-vdpa'))).toBe(true);
  expect(await knowsVhostVdpa(schema('user', 'tap'))).toBe(false);
});
