import { describe, expect, test } from 'vitest';
import { bindingProfile, unboundProfileKeys } from '../../../src/policy/binding-profile.js';
import { DeviceSpec } from '../../../src/policy/device-spec.js';
import { at, device } from './device.js';

const spec = DeviceSpec.parse({ vendor_id: '15b3', physical_network: 'physnet4' });
const capabilities = JSON.stringify({
  network: ['rx', 'tso'],
  sriov: { pf_mac_address: '02:00:00:00:00:01', vf_num: 0 },
  vpd: { card_serial_number: 'MT2113X00000' },
});

describe('the binding profile of a port', () => {
  test('that has a vDPA device are three keys', () => {
    const one = device({ extra: { capabilities, mac_address: '02:00:00:00:00:09' } });
    expect(bindingProfile(one, spec)).toEqual({
      pci_vendor_info: '15b3:101e',
      pci_slot: '0000:06:00.2',
      physical_network: 'physnet4',
    });
  });

  test('that has a plain VF tells besides what is known of it', () => {
    expect(bindingProfile(device({ type: 'type-VF', extra: { capabilities } }), spec)).toEqual({
      pci_vendor_info: '15b3:101e',
      pci_slot: '0000:06:00.2',
      physical_network: 'physnet4',
      card_serial_number: 'MT2113X00000',
      pf_mac_address: '02:00:00:00:00:01',
      vf_num: 0,
      capabilities: ['rx', 'tso'],
    });
    for (const extra of [{}, { capabilities: '{' }, { capabilities: 'null' }]) {
      const profile = bindingProfile(device({ type: 'type-VF', extra }), spec);
      expect(Object.keys(profile)).toEqual(['pci_vendor_info', 'pci_slot', 'physical_network']);
    }
  });

  test('that has a PF has its address, where it is known', () => {
    const pf = at('0000:06:00.0', { type: 'type-PF', extra: { mac_address: '02:00:00:00:00:01' } });
    expect(bindingProfile(pf, spec)).toMatchObject({ device_mac_address: '02:00:00:00:00:01' });
    expect(bindingProfile({ ...pf, extra: {} }, spec)).not.toHaveProperty('device_mac_address');
  });

  test('has the network null when the device is tagged with none', () => {
    expect(bindingProfile(device(), DeviceSpec.parse({}))).toMatchObject({
      physical_network: null,
    });
  });

  test('cannot be made for a device that device_spec does not know', () => {
    expect(() => bindingProfile(device({ vendorId: '8086' }), spec)).toThrow(
      expect.objectContaining({ code: 'DEVICE_NOT_SPECIFIED' }),
    );
  });

  test('loses all of its own keys when the port is unbound, but what the driver can do', () => {
    const vf = bindingProfile(device({ type: 'type-VF', extra: { capabilities } }), spec);
    const left = Object.keys(vf).filter((key) => !unboundProfileKeys.includes(key));
    expect(left).toEqual(['capabilities']);
    expect(unboundProfileKeys).toEqual(
      expect.arrayContaining(['allocation', 'arq_uuid', 'device_mac_address']),
    );
  });
});
