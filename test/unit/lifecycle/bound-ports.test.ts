import { beforeEach, describe, expect, test } from 'vitest';
import type { InstanceOperations } from '../../../src/lifecycle/operations/instance-operations.js';
import { type NeutronPort, portRequests } from '../../../src/policy/port-requests.js';
import type { Tracker } from '../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../support/requests.js';
import { card, claimId, instance } from '../tracker/support/devices.js';
import { trackerOf } from '../tracker/support/hosts.js';
import { AgentHost } from './support/agent-host.js';

const vm1 = instance('vm1');
const networks = ['net1', 'net2'].map((name) => ({ id: name, 'provider:physical_network': name }));
const port = (changes: Partial<NeutronPort> = {}): NeutronPort => ({
  id: 'p1',
  network_id: 'net1',
  mac_address: '02:00:00:00:00:01',
  'binding:vnic_type': 'vdpa',
  'binding:profile': { trusted: 'true', pci_slot: '0000:06:00.2' },
  ...changes,
});

let tracker: Tracker;
let operations: InstanceOperations;

beforeEach(async () => {
  tracker = await trackerOf(card('06', 4));
  operations = new AgentHost(tracker).started();
  const { requests } = portRequests([port()], networks);
  // As claimed for it; the host of the test tags nothing.
  const [request] = requests;
  await tracker.claim({
    id: claimId('c1'),
    instance: vm1,
    requests: [{ ...vdpaRequest(1), portId: request?.portId ?? null, mac: request?.mac }],
  });
});

const check = (changes: Partial<NeutronPort>) =>
  operations.checkPorts(vm1, [port(changes)], networks);

describe('a bound port', () => {
  test('that is as it was is let be, and so is one without a device', () => {
    check({});
    check({ 'binding:profile': { trusted: 'true' }, numa_affinity_policy: 'required' });
    operations.checkPorts(vm1, [port({ id: 'p2', 'binding:vnic_type': 'normal' })], networks);
  });

  test.each<[string, Partial<NeutronPort>]>([
    ['vnic_type is normal', { 'binding:vnic_type': 'normal' }],
    ['dev_type was vdpa, is none', { 'binding:vnic_type': 'direct' }],
    ['dev_type was vdpa, is type-PF', { 'binding:vnic_type': 'direct-physical' }],
    ['mac was 02:00:00:00:00:01, is 02:00:00:00:00:02', { mac_address: '02:00:00:00:00:02' }],
    ['mac was 02:00:00:00:00:01, is none', { mac_address: null }],
  ])('of which %s now is refused, and keeps its device', (words, changes) => {
    expect(() => check(changes)).toThrow(
      expect.objectContaining({
        code: 'PORT_CHANGED',
        message: expect.stringContaining(words),
      }),
    );
    expect(tracker.claims(vm1)).toHaveLength(1);
  });

  test('whose device was given back is nobody’s', async () => {
    await tracker.release({ claim: claimId('c1') });
    check({ 'binding:vnic_type': 'normal' });
  });

  test('of another form is refused', () => {
    expect(() => operations.checkPorts(vm1, 'p1' as never, networks)).toThrow(TypeError);
    expect(() => check({ network_id: 'elsewhere' })).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID' }),
    );
  });
});
