import { describe, expect, test } from 'vitest';
import {
  type NeutronNetwork,
  type NeutronPort,
  portRequests,
} from '../../../src/policy/port-requests.js';

const vlan = {
  id: 'vlan',
  'provider:physical_network': 'physnet1',
  'provider:network_type': 'vlan',
};
const vxlan = { id: 'vxlan', 'provider:physical_network': null, 'provider:network_type': 'vxlan' };

function port(changes: Partial<NeutronPort> = {}): NeutronPort {
  return { id: 'p1', network_id: 'vlan', 'binding:vnic_type': 'vdpa', ...changes };
}

const requestsOf = (...ports: NeutronPort[]) => portRequests(ports, [vlan, vxlan]);
const specOf = (one: NeutronPort) => requestsOf(one).requests[0]?.spec[0];

describe('a neutron port', () => {
  test('of vnic_type vdpa asks for one vDPA device on its physical network', () => {
    const { requests, requestOfPort, physnets, tunneled } = portRequests([port()], [vlan], {
      newRequestId: () => 'r1',
    });
    expect(requests).toEqual([
      {
        requestId: 'r1',
        count: 1,
        spec: [{ physical_network: 'physnet1', remote_managed: 'False', dev_type: 'vdpa' }],
        numaPolicy: null,
        alias: null,
        portId: 'p1',
      },
    ]);
    expect(requestOfPort).toEqual(requests);
    expect([physnets, tunneled]).toEqual([['physnet1'], false]);
  });

  test.each([
    ['direct', { remote_managed: 'False' }],
    ['macvtap', { remote_managed: 'False' }],
    ['virtio-forwarder', { remote_managed: 'False' }],
    ['direct-physical', { remote_managed: 'False', dev_type: 'type-PF' }],
    ['remote-managed', { remote_managed: 'True' }],
  ])('of vnic_type %s asks for what that needs', (vnicType, spec) => {
    expect(specOf(port({ 'binding:vnic_type': vnicType }))).toEqual({
      physical_network: 'physnet1',
      ...spec,
    });
  });

  test.each(['normal', 'smart-nic', 'baremetal', 'constructor', null, undefined])(
    'of vnic_type %s needs no device, though its network counts',
    (vnicType) => {
      expect(requestsOf(port({ 'binding:vnic_type': vnicType }))).toEqual({
        requests: [],
        requestOfPort: [null],
        physnets: ['physnet1'],
        tunneled: false,
      });
    },
  );

  test('on a tunnel asks for a device that is tagged with no network', () => {
    const { requests, physnets, tunneled } = requestsOf(port({ network_id: 'vxlan' }));
    expect(requests[0]?.spec[0]).toMatchObject({ physical_network: null });
    expect([physnets, tunneled]).toEqual([[], true]);
  });

  test.each([
    [true, 'True'],
    ['yes', 'True'],
    ['False', 'False'],
    ['maybe', 'False'],
    [{}, 'False'],
  ])('whose profile has trusted: %j asks for trusted: %s', (trusted, meant) => {
    expect(specOf(port({ 'binding:profile': { trusted } }))).toMatchObject({ trusted: meant });
  });

  test.each([{}, { trusted: null }, null, undefined])(
    'with the profile %j does not ask for trust',
    (profile) => {
      expect(specOf(port({ 'binding:profile': profile }))).not.toHaveProperty('trusted');
    },
  );

  test('of vnic_type vdpa has its MAC with it, as others need none', () => {
    const mac = 'FA:16:3E:00:00:01';
    const { requests } = requestsOf(
      port({ mac_address: mac }),
      port({ mac_address: null }),
      port({ mac_address: mac, 'binding:vnic_type': 'direct' }),
    );
    expect(requests.map((request) => request.mac)).toEqual([
      'fa:16:3e:00:00:01',
      undefined,
      undefined,
    ]);
  });

  test.each(['', '52:54:00', '01:00:00:00:00:01', 5])('with the MAC %j is refused', (mac) => {
    expect(() => requestsOf(port({ mac_address: mac as never }))).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID', message: expect.stringContaining('p1') }),
    );
  });

  test('has its own NUMA policy, or else that of the instance', () => {
    const ports = [port({ numa_affinity_policy: 'socket' }), port({ numa_affinity_policy: null })];
    const { requests } = portRequests(ports, [vlan], { numaPolicy: 'required' });
    expect(requests.map(({ numaPolicy }) => numaPolicy)).toEqual(['socket', 'required']);
  });

  test('has a request of its own, each with another id', () => {
    const { requests, requestOfPort } = requestsOf(
      port(),
      port({ 'binding:vnic_type': 'normal' }),
      port({ id: 'p3' }),
    );
    expect(requestOfPort).toEqual([requests[0], null, requests[1]]);
    expect(requests[0]?.requestId).not.toBe(requests[1]?.requestId);
  });
});

describe('a network of several segments', () => {
  const segmented = (...segments: NeutronNetwork['segments'] & object) =>
    portRequests([port({ network_id: 'n' })], [{ id: 'n', segments }]);

  test('is that of its first segment with a physical network', () => {
    const { requests, tunneled } = segmented(
      { 'provider:network_type': 'vxlan', 'provider:physical_network': null },
      { 'provider:network_type': 'vlan', 'provider:physical_network': 'physnet2' },
      { 'provider:network_type': 'vlan', 'provider:physical_network': 'physnet3' },
    );
    expect(requests[0]?.spec[0]).toMatchObject({ physical_network: 'physnet2' });
    expect(tunneled).toBe(false);
  });

  test('is refused when none has one', () => {
    expect(() => segmented({ 'provider:network_type': 'vxlan' })).toThrow(
      expect.objectContaining({
        code: 'REQUEST_INVALID',
        message: 'network n: none of its segments has a physical network',
      }),
    );
  });
});

test.each([
  [port({ network_id: 'other' }), 'REQUEST_INVALID', /port p1: its network "other"/],
  [port({ 'binding:profile': [] as never }), 'REQUEST_INVALID', /port p1: its binding:profile/],
  [port({ numa_affinity_policy: 'near' }), 'NUMA_POLICY_INVALID', /port p1: "near" is no NUMA/],
])('a port that says nothing usable is refused by name: %#', (one, code, message) => {
  expect(() => requestsOf(one)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});
