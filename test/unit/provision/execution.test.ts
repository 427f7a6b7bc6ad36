import { describe, expect, test, vi } from 'vitest';
import { parseDeclaration } from '../../../src/host/parse-declaration.js';
import { provision } from '../../../src/host/provision.js';
import type { ProvisionedHost } from '../../../src/host/provision-execution.js';
import { type DeclaredPf, VdpaError, type VirtualFunction } from '../../../src/index.js';
import { inventory, managementDevice, pf, vf, vfDevice } from '../cli/support/inventory.js';

// A host whose every answer is chosen: a driver's refusals and delays that no lab driver makes.

const address = '0000:65:00.0';
const oldMac = '02:00:00:00:00:01';
const newMac = '02:00:00:00:00:02';

/** A PF, and on each of its VFs the devices that are named. */
function hostOf({
  vfs = 1,
  names = ['vdpa0'],
  parents = true,
  mtu = 1500,
  parentsOf = ({ address }: VirtualFunction) => [managementDevice(`pci/${address}`)],
} = {}) {
  const calls: string[] = [];
  let mac = oldMac;
  const note =
    (name: string, work: (...args: never[]) => void = () => {}) =>
    async (...args: unknown[]) => {
      calls.push(
        [name, ...args.filter((arg) => arg === null || typeof arg !== 'object').map(String)].join(
          ' ',
        ),
      );
      work(...(args as never[]));
    };
  const state = { vfs, names, parents };
  const host = {
    inventory: async () => {
      const owner = pf(address, { numVfs: state.vfs, totalVfs: 8 });
      const functions = Array.from({ length: state.vfs }, (_, index) => vf(owner, index));
      return inventory({
        pfs: [owner],
        vfs: functions,
        managementDevices: state.parents ? functions.flatMap(parentsOf) : [],
        devices: state.names.flatMap((name, index) => {
          const parent = functions[index];
          return parent ? [vfDevice(name, parent, { charDevice: null })] : [];
        }),
        abi: { maxAttribute: 24, commands: [1, 3, 5, 6, 7, 8] },
      });
    },
    deviceConfig: async () => ({ net: { mac, mtu, maxVqPairs: null }, features: null }),
    resolve: () => ({}),
    enableVfs: note('enableVfs'),
    createDevice: async (request: { name?: string; mac?: string; managementDevice: string }) => {
      calls.push(`createDevice ${request.managementDevice}`);
      const name = request.name ?? 'new';
      mac = request.mac ?? mac;
      state.names.push(name);
      return { name };
    },
    deleteDevice: note('deleteDevice', () => state.names.pop()),
    setMac: note('setMac', (_name: string, wanted: string) => {
      mac = wanted;
    }),
    bindDriver: note('bindDriver'),
  };
  return { host: host as typeof host & ProvisionedHost, calls, state };
}

const run = (host: ProvisionedHost, entry: Partial<DeclaredPf>, signal?: AbortSignal) =>
  provision(host, parseDeclaration({ pfs: [{ address, ...entry }] }), 5000, { signal }).catch(
    (error: unknown) => error,
  );

const refusal = (code: 'NOT_SUPPORTED' | 'KERNEL_REFUSED') =>
  vi.fn().mockRejectedValue(new VdpaError(code, 'DEV_ATTR_SET: no', { outcome: 'unchanged' }));

describe('a MAC that the driver does not set', () => {
  const declared = { devices: [{ on: [0], mac: newMac }] };

  test('is given to a new device of the same name, when it cannot', async () => {
    const { host, calls } = hostOf();
    host.setMac = refusal('NOT_SUPPORTED');
    expect(await run(host, declared)).toMatchObject({ obstacles: [] });
    expect(calls).toEqual([
      'bindDriver vdpa0 null',
      'deleteDevice vdpa0',
      'createDevice pci/0000:65:00.2',
    ]);
  });

  test('leaves the device bound as before, when it refuses', async () => {
    const { host, calls } = hostOf();
    host.setMac = refusal('KERNEL_REFUSED');
    expect(await run(host, declared)).toMatchObject({
      code: 'PROVISION_INCOMPLETE',
      leftovers: [expect.stringContaining('DEV_ATTR_SET: no')],
    });
    expect(calls).toEqual(['bindDriver vdpa0 null', 'bindDriver vdpa0 vhost_vdpa']);
  });
});

test('what a driver made otherwise than it was told is not called done', async () => {
  const { host } = hostOf({ names: [] });
  expect(await run(host, { devices: [{ on: [0], mtu: 9000 }] })).toMatchObject({
    code: 'PROVISION_INCOMPLETE',
    leftovers: [
      expect.stringMatching(/still to do after it was done: re-create new: mtu 1500, not 9000/),
    ],
  });
});

test('new VFs whose driver is late are waited for, and each gets its device', async () => {
  const { host, calls, state } = hostOf({ vfs: 0, names: [], parents: false });
  host.enableVfs = vi.fn().mockImplementation(async () => {
    calls.push('enableVfs');
    state.vfs = 2;
    return [];
  });
  let looks = 0;
  const { inventory: look } = host;
  host.inventory = async () => {
    // The plan's own look, then three at VFs that have no management device yet.
    state.parents = ++looks > 4;
    return await look();
  };
  expect(await run(host, { vfs: 2, devices: [{ on: 'all' }] })).toMatchObject({ obstacles: [] });
  expect(calls).toEqual([
    'enableVfs',
    'createDevice pci/0000:65:00.2',
    'createDevice pci/0000:65:00.3',
  ]);
});

describe('a VF whose driver makes vDPA devices on the auxiliary bus', () => {
  /** As pds_core does: the n-th of them has no number of its VF. */
  const on = ({ address: pciAddress, vfIndex }: VirtualFunction, ...kinds: readonly string[]) =>
    kinds.map((kind) =>
      managementDevice(`auxiliary/pds_core.${kind}.${(vfIndex ?? 0) + 7}`, { pciAddress }),
    );

  test('gets its device there, with the VF or later', async () => {
    for (const vfs of [0, 2]) {
      const { host, calls, state } = hostOf({
        vfs,
        names: [],
        parentsOf: (each) => [
          ...on(each, 'vDPA'),
          // A scalable function of the VF is another place.
          managementDevice('auxiliary/x.sf.1', { pciAddress: each.address }),
        ],
      });
      host.enableVfs = vi.fn().mockImplementation(async () => {
        state.vfs = 2;
      });
      expect(await run(host, { vfs: 2, devices: [{ on: 'all' }] })).toMatchObject({
        obstacles: [],
      });
      expect(calls).toEqual([
        'createDevice auxiliary/pds_core.vDPA.7',
        'createDevice auxiliary/pds_core.vDPA.8',
      ]);
    }
  });

  test('in several places gets none, and it is said why', async () => {
    for (const vfs of [0, 1]) {
      const { host, calls, state } = hostOf({
        vfs,
        names: [],
        parentsOf: (each) => on(each, 'vDPA', 'other'),
      });
      host.enableVfs = vi.fn().mockImplementation(async () => {
        state.vfs = 1;
      });
      expect(await run(host, { vfs: 1, devices: [{ on: 'all' }] })).toMatchObject({
        code: 'PROVISION_INCOMPLETE',
        leftovers: [expect.stringContaining('several management devices stand on')],
      });
      expect(calls).toEqual([]);
    }
  });
});

test('VFs are taken away only while there are as many as the plan was made for', async () => {
  const { host } = hostOf({ vfs: 2, names: [] });
  const enableVfs = vi
    .fn()
    .mockRejectedValue(new VdpaError('DEVICE_CHANGED', 'it has 3 by now', { retry: 'later' }));
  host.enableVfs = enableVfs;
  expect(await run(host, { vfs: 4, shrink: true, devices: [] })).toMatchObject({
    code: 'PROVISION_INCOMPLETE',
    outcome: 'unchanged',
    retry: 'later',
  });
  expect(enableVfs).toHaveBeenCalledWith(
    address,
    4,
    expect.objectContaining({ from: 2, replace: true }),
  );
});

test('after the signal nothing more is begun, and the reason is what is thrown', async () => {
  const { host, calls } = hostOf({ vfs: 3, names: [] });
  const controller = new AbortController();
  const { createDevice } = host;
  host.createDevice = async (request: Parameters<typeof createDevice>[0]) => {
    controller.abort('enough');
    return await createDevice(request);
  };
  expect(await run(host, { devices: [{ on: 'all' }] }, controller.signal)).toBe('enough');
  expect(calls).toEqual(['createDevice pci/0000:65:00.2']);
});
