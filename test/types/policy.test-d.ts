import { assertType, describe, expectTypeOf, test } from 'vitest';
import type * as root from '../../src/index.js';
import {
  bindingProfile,
  DeviceSpec,
  type DeviceSpecError,
  instanceNumaPolicy,
  type PciAliases,
  pciFactsOf,
  portRequests,
} from '../../src/policy/index.js';

describe('device_spec', () => {
  test('takes whatever people write, and options that may be left out', () => {
    expectTypeOf(DeviceSpec.parse).parameter(0).toEqualTypeOf<unknown>();
    expectTypeOf(DeviceSpec.parse).parameter(1).toEqualTypeOf<root.DeviceSpecOptions | undefined>();
    assertType<root.DeviceSpecOptions>({ pci: undefined, reportInPlacement: undefined });
    // @ts-expect-error the option is called reportInPlacement
    assertType<root.DeviceSpecOptions>({ report_in_placement: true });
    // @ts-expect-error made by parse only
    new DeviceSpec();
  });

  test('answers with the types that the main entrance names', () => {
    expectTypeOf<DeviceSpec>().toEqualTypeOf<root.DeviceSpec>();
    expectTypeOf<DeviceSpec['match']>().returns.toEqualTypeOf<root.DeviceSpecEntry | null>();
    expectTypeOf<DeviceSpec['poolKeys']>().returns.toEqualTypeOf<root.PoolKeys | null>();
    expectTypeOf(pciFactsOf).returns.toEqualTypeOf<root.PciFacts>();
  });

  test('is refused with one of the library’s errors', () => {
    expectTypeOf<DeviceSpecError>().toExtend<root.VdpaError>();
    expectTypeOf<DeviceSpecError['problem']>().toEqualTypeOf<root.DeviceSpecProblem>();
  });
});

describe('requests', () => {
  test('come from ports and networks as neutron has them', () => {
    expectTypeOf(portRequests).returns.toEqualTypeOf<root.PortRequests>();
    assertType<root.NeutronPort>({ network_id: 'n1', 'binding:vnic_type': 'vdpa' });
    // @ts-expect-error a port is of a network
    assertType<root.NeutronPort>({ 'binding:vnic_type': 'vdpa' });
    expectTypeOf<PciAliases['requests']>().returns.toEqualTypeOf<root.DeviceRequest[]>();
    expectTypeOf(instanceNumaPolicy).returns.toEqualTypeOf<root.NumaPolicy | null>();
  });

  test('have ids that no text is', () => {
    expectTypeOf<string>().not.toExtend<root.RequestId>();
    expectTypeOf<root.PortId>().not.toExtend<root.RequestId>();
  });

  test('are answered in the port’s profile', () => {
    expectTypeOf(bindingProfile).returns.toEqualTypeOf<root.BindingProfile>();
    expectTypeOf<root.BindingProfile['physical_network']>().toEqualTypeOf<string | null>();
  });
});
