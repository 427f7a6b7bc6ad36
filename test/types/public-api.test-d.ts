import { assertType, describe, expectTypeOf, test } from 'vitest';
import {
  type BoundDevice,
  type CallOptions,
  type Capture,
  type CaptureOptions,
  type ChangeOptions,
  type CreateRequest,
  type DeviceConfig,
  type DeviceId,
  type DeviceIdParts,
  type EnableVfsOptions,
  type ErrorCode,
  type errorCodes,
  type Finding,
  type ForceOptions,
  type HostEvent,
  type HostEventOf,
  type HostEventType,
  type HostWatch,
  type Inventory,
  isPciAddress,
  type ManagementDevice,
  type PciAddress,
  type PciFunction,
  type PhysicalFunction,
  type ProvisionDeclaration,
  type ProvisionReport,
  parseDeviceId,
  type ResolvedCharDevice,
  type ResyncReason,
  type SoftwareParentKind,
  type UnusableReason,
  type VdpaDevice,
  VdpaError,
  VdpaHost,
  type VdpaHostOptions,
  type VdpaName,
  type VendorCounter,
  type VendorStats,
  type VirtualFunction,
  type WatchEvents,
  type WatchOptions,
} from '../../src/index.js';

describe('identifiers', () => {
  test('are texts, but no text is one', () => {
    expectTypeOf<DeviceId>().toExtend<string>();
    expectTypeOf<PciAddress>().toExtend<string>();
    expectTypeOf<VdpaName>().toExtend<string>();
    expectTypeOf<string>().not.toExtend<DeviceId>();
    expectTypeOf<string>().not.toExtend<PciAddress>();
    expectTypeOf<string>().not.toExtend<VdpaName>();
    // @ts-expect-error a literal is none either
    assertType<DeviceId>('pci/0000:65:00.2');
  });

  test('are not each other', () => {
    expectTypeOf<DeviceId>().not.toExtend<VdpaName>();
    expectTypeOf<VdpaName>().not.toExtend<DeviceId>();
    expectTypeOf<PciAddress>().not.toExtend<DeviceId>();
    expectTypeOf<DeviceId>().not.toExtend<PciAddress>();
  });

  test('come from a check', () => {
    const text: string = '0000:65:00.2';
    if (isPciAddress(text)) expectTypeOf(text).toEqualTypeOf<PciAddress>();
    const parts = parseDeviceId(text);
    expectTypeOf(parts).toEqualTypeOf<DeviceIdParts>();
    if (parts.kind === 'sf') expectTypeOf(parts.sfNumber).toEqualTypeOf<number>();
    // @ts-expect-error only a scalable function has a number
    if (parts.kind === 'pci') assertType(parts.sfNumber);
  });
});

describe('a host', () => {
  test('is opened with options that may be left out, and no others', () => {
    expectTypeOf(VdpaHost.open).parameter(0).toEqualTypeOf<VdpaHostOptions | undefined>();
    expectTypeOf(VdpaHost.open).returns.resolves.toEqualTypeOf<VdpaHost>();
    assertType<VdpaHostOptions>({});
    assertType<VdpaHostOptions>({ root: undefined, timeoutMs: undefined });
    // @ts-expect-error milliseconds are a number
    assertType<VdpaHostOptions>({ timeoutMs: '100' });
    // @ts-expect-error the option is called timeoutMs
    assertType<VdpaHostOptions>({ timeout: 100 });
  });

  test('is made by open only', () => {
    // @ts-expect-error the constructor is private
    new VdpaHost();
  });

  test('is disposed of asynchronously', () => {
    expectTypeOf<VdpaHost>().toExtend<AsyncDisposable>();
    expectTypeOf<VdpaHost>().not.toExtend<Disposable>();
  });

  test('answers every question with its own type, and takes a signal', () => {
    expectTypeOf<VdpaHost['inventory']>().returns.resolves.toEqualTypeOf<Inventory>();
    expectTypeOf<VdpaHost['deviceConfig']>().returns.resolves.toEqualTypeOf<DeviceConfig>();
    expectTypeOf<VdpaHost['vendorStats']>().returns.resolves.toEqualTypeOf<VendorStats>();
    expectTypeOf<VdpaHost['driverOverride']>().returns.resolves.toEqualTypeOf<string | null>();
    expectTypeOf<VdpaHost['preflight']>().returns.resolves.toEqualTypeOf<readonly Finding[]>();
    expectTypeOf<VdpaHost['resolve']>().returns.toEqualTypeOf<ResolvedCharDevice>();
    expectTypeOf<VdpaHost['inventory']>().parameter(0).toEqualTypeOf<CallOptions | undefined>();
    expectTypeOf<VdpaHost['deviceConfig']>().parameter(1).toEqualTypeOf<CallOptions | undefined>();
    expectTypeOf<VdpaHost['vendorStats']>().parameter(2).toEqualTypeOf<CallOptions | undefined>();
    expectTypeOf<VdpaHost['driverOverride']>()
      .parameter(1)
      .toEqualTypeOf<CallOptions | undefined>();
    expectTypeOf<CallOptions['signal']>().toEqualTypeOf<AbortSignal | undefined>();
  });

  test('is captured to a file, and says what came of it', () => {
    expectTypeOf<VdpaHost['capture']>().parameter(0).toEqualTypeOf<string>();
    expectTypeOf<VdpaHost['capture']>().parameter(1).toEqualTypeOf<CaptureOptions | undefined>();
    expectTypeOf<VdpaHost['capture']>().returns.resolves.toEqualTypeOf<Capture>();
    expectTypeOf<CaptureOptions>().toExtend<CallOptions>();
    expectTypeOf<Capture['unanswered']>().toEqualTypeOf<readonly string[]>();
  });

  test('is changed with a time limit and a signal, by force only where that is an option', () => {
    expectTypeOf<VdpaHost['createDevice']>().parameter(0).toEqualTypeOf<CreateRequest>();
    expectTypeOf<VdpaHost['createDevice']>()
      .parameter(1)
      .toEqualTypeOf<ChangeOptions | undefined>();
    expectTypeOf<VdpaHost['createDevice']>().returns.resolves.toEqualTypeOf<ResolvedCharDevice>();
    expectTypeOf<VdpaHost['deleteDevice']>().parameter(1).toEqualTypeOf<ForceOptions | undefined>();
    expectTypeOf<VdpaHost['deleteDevice']>().returns.resolves.toEqualTypeOf<void>();
    expectTypeOf<VdpaHost['setMac']>().parameter(2).toEqualTypeOf<ChangeOptions | undefined>();
    expectTypeOf<VdpaHost['bindDriver']>().parameter(1).toEqualTypeOf<string | null>();
    expectTypeOf<VdpaHost['bindDriver']>().returns.resolves.toEqualTypeOf<BoundDevice>();
    expectTypeOf<VdpaHost['enableVfs']>().returns.resolves.toEqualTypeOf<
      readonly VirtualFunction[]
    >();
    expectTypeOf<VdpaHost['enableVfs']>()
      .parameter(2)
      .toEqualTypeOf<EnableVfsOptions | undefined>();
    expectTypeOf<VdpaHost['provision']>().parameter(0).toEqualTypeOf<ProvisionDeclaration>();
    expectTypeOf<VdpaHost['provision']>().returns.resolves.toEqualTypeOf<ProvisionReport>();
    assertType<ProvisionDeclaration>({ pfs: [{ ids: '15b3:101d', devices: [{ on: 'all' }] }] });
    // @ts-expect-error a driver of the vdpa bus
    assertType<ProvisionDeclaration>({ pfs: [{ devices: [{ on: 'all', driver: 'vfio-pci' }] }] });
    expectTypeOf<ChangeOptions>().not.toHaveProperty('force');
    assertType<CreateRequest>({ managementDevice: 'pci/0000:65:00.2', features: 1n });
    // @ts-expect-error a feature word is a bigint
    assertType<CreateRequest>({ managementDevice: 'pci/0000:65:00.2', features: 1 });
    // @ts-expect-error somebody must make it
    assertType<CreateRequest>({ name: 'vdpa0' });
  });

  test('resolves the ids of its own inventory', () => {
    expectTypeOf<VdpaDevice['id']>().toExtend<Parameters<VdpaHost['resolve']>[0]>();
  });
});

describe('a watch', () => {
  test('is opened with options that may be left out, and no others', () => {
    expectTypeOf<VdpaHost['watch']>().parameter(0).toEqualTypeOf<WatchOptions | undefined>();
    expectTypeOf<VdpaHost['watch']>().returns.resolves.toEqualTypeOf<HostWatch>();
    assertType<WatchOptions>({});
    assertType<WatchOptions>({ signal: undefined, rereadMs: 0, receiveBufferBytes: undefined });
    // @ts-expect-error the option is called rereadMs
    assertType<WatchOptions>({ intervalMs: 100 });
  });

  test('has an inventory, ends, and is disposed of asynchronously', () => {
    expectTypeOf<HostWatch['inventory']>().toEqualTypeOf<Inventory>();
    expectTypeOf<HostWatch['close']>().toEqualTypeOf<() => Promise<void>>();
    expectTypeOf<HostWatch>().toExtend<AsyncDisposable>();
    expectTypeOf<HostWatch>().toExtend<AsyncIterable<HostEvent>>();
  });

  test('tells events that their type makes precise, to loops and to listeners', () => {
    const tell = (event: HostEvent): void => {
      if (event.type === 'changed') {
        expectTypeOf(event.before).toEqualTypeOf<VdpaDevice>();
        expectTypeOf(event.changes).toEqualTypeOf<readonly (keyof VdpaDevice)[]>();
      }
      if (event.type === 'pfChanged') expectTypeOf(event.pf).toEqualTypeOf<PhysicalFunction>();
      if (event.type === 'resync') expectTypeOf(event.reason).toEqualTypeOf<ResyncReason>();
      if (event.type === 'stale') expectTypeOf(event.error).toEqualTypeOf<VdpaError>();
      // @ts-expect-error not every event is about a device
      assertType(event.device);
    };
    const listen = (watch: HostWatch): void => {
      watch.on('ready', (event) => expectTypeOf(event).toEqualTypeOf<HostEventOf<'ready'>>());
    };
    assertType([tell, listen]);
    expectTypeOf<keyof WatchEvents>().toEqualTypeOf<HostEventType>();
    expectTypeOf<WatchEvents['stale']>().toEqualTypeOf<[HostEventOf<'stale'>]>();
  });
});

describe('an inventory', () => {
  test('is read-only, down to the lists in it', () => {
    expectTypeOf<Inventory['pfs']>().toEqualTypeOf<readonly PhysicalFunction[]>();
    expectTypeOf<Inventory['vfs']>().toEqualTypeOf<readonly VirtualFunction[]>();
    expectTypeOf<Inventory['devices']>().toEqualTypeOf<readonly VdpaDevice[]>();
    expectTypeOf<Inventory['managementDevices']>().toEqualTypeOf<readonly ManagementDevice[]>();
    expectTypeOf<VdpaDevice['reasons']>().toEqualTypeOf<readonly UnusableReason[]>();
    const change = (inventory: Inventory): void => {
      // @ts-expect-error a snapshot does not change
      inventory.consistent = false;
    };
    assertType(change);
  });

  test('says null where the host may not say, and never undefined', () => {
    expectTypeOf<Inventory['abi']>().toBeNullable();
    expectTypeOf<VdpaDevice['charDevice']>().toBeNullable();
    expectTypeOf<VdpaDevice['driver']>().toEqualTypeOf<string | null>();
    expectTypeOf<VdpaDevice['parent']['numaNode']>().toEqualTypeOf<number | null>();
    expectTypeOf<VdpaDevice['parent']['pciAddress']>().toEqualTypeOf<PciAddress | null>();
    expectTypeOf<VirtualFunction['representor']>().toBeNullable();
    expectTypeOf<undefined>().not.toExtend<VdpaDevice[keyof VdpaDevice]>();
  });

  test('keeps 64-bit words exact', () => {
    expectTypeOf<ManagementDevice['features']>().toEqualTypeOf<bigint | null>();
    expectTypeOf<DeviceConfig['negotiatedFeatures']>().toEqualTypeOf<bigint | null>();
    expectTypeOf<VendorStats['counters']>().toEqualTypeOf<readonly VendorCounter[]>();
  });

  test('says of a counter what it is called and how far it is', () => {
    expectTypeOf<VendorCounter>().toEqualTypeOf<{
      readonly name: string;
      readonly value: bigint;
    }>();
  });

  test('names every kind of software parent, and a wrong node among the reasons', () => {
    expectTypeOf<SoftwareParentKind>().toEqualTypeOf<'simulator' | 'vduse' | 'other'>();
    expectTypeOf<SoftwareParentKind>().toExtend<VdpaDevice['parent']['kind']>();
    expectTypeOf<'node-mismatch'>().toExtend<UnusableReason>();
  });

  test('asks nothing that takes the lock of a driver', () => {
    expectTypeOf<PciFunction>().not.toHaveProperty('driverOverride');
  });

  test('tells PFs from VFs by what only they have', () => {
    expectTypeOf<PhysicalFunction>().not.toHaveProperty('pfAddress');
    expectTypeOf<VirtualFunction>().not.toHaveProperty('totalVfs');
    expectTypeOf<VirtualFunction['pfAddress']>().toEqualTypeOf<PciAddress>();
  });
});

describe('an error', () => {
  test('has a code of the list', () => {
    expectTypeOf<VdpaError>().toExtend<Error>();
    expectTypeOf<VdpaError['code']>().toEqualTypeOf<ErrorCode>();
    expectTypeOf<ErrorCode>().toEqualTypeOf<(typeof errorCodes)[number]>();
    expectTypeOf<'DEVICE_BUSY' | 'HOST_CAPTURED' | 'CHANGE_INTERRUPTED'>().toExtend<ErrorCode>();
    expectTypeOf<'CLOSED' | 'DEVICE_AMBIGUOUS' | 'RESOURCE_EXHAUSTED'>().toExtend<ErrorCode>();
    expectTypeOf<string>().not.toExtend<ErrorCode>();
    // @ts-expect-error no such code
    new VdpaError('NO_SUCH_CODE', 'words');
  });

  test('says what it left, and whether to try again', () => {
    expectTypeOf<VdpaError['outcome']>().toEqualTypeOf<
      'unchanged' | 'undone' | 'partial' | 'unknown'
    >();
    expectTypeOf<VdpaError['retry']>().toEqualTypeOf<'never' | 'later' | 'after-fix'>();
    expectTypeOf<VdpaError['leftovers']>().toEqualTypeOf<readonly string[]>();
  });
});
