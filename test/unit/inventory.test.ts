import { describe, expect, test } from 'vitest';
import { inventoryOf } from '../../src/host/inventory.js';
import { softwareParentKind } from '../../src/host/vdpa-parent.js';
import { finish } from '../../src/turns.js';
import {
  busDeviceRow,
  managementDeviceRow,
  pciFunctionRow,
  pfRow,
  snapshotRow,
  vdpaDeviceRow,
} from './support/rows.js';

describe('an inventory', () => {
  test('joins rows by name only when the host stood still', () => {
    const moved = {
      vdpaDevices: [vdpaDeviceRow({ managementName: '0000:65:00.3' })],
      busDevices: [busDeviceRow()],
      pciFunctions: [pfRow(), pciFunctionRow()],
    };
    const classOf = (consistent: boolean) => {
      const inventory = finish(inventoryOf(snapshotRow({ ...moved, consistent })));
      expect(inventory.consistent).toBe(consistent);
      return inventory.devices[0]?.class;
    };
    expect([classOf(true), classOf(false)]).toEqual(['net', null]);
  });

  test('names the commands of the family by their numbers', () => {
    const abi = { familyId: 30, maxAttribute: 24, commands: (1n << 63n) | 0b1010n };
    expect(finish(inventoryOf(snapshotRow({ abi }))).abi).toEqual({
      maxAttribute: 24,
      commands: [1, 3, 63],
    });
  });
});

describe('a management device', () => {
  function only(row: Parameters<typeof managementDeviceRow>[0]) {
    const { managementDevices } = finish(
      inventoryOf(
        snapshotRow({
          managementDevices: [managementDeviceRow(row)],
          scalableFunctions: [
            { name: 'mlx5_core.sf.4', pfAddress: '0000:65:00.0', sfNumber: 88 },
            { name: 'mlx5_core.sf.5', pfAddress: '0000:65:00.0', sfNumber: null },
          ],
        }),
      ),
    );
    return managementDevices[0];
  }

  test('that is a PCI function has its address', () => {
    expect(only({})).toMatchObject({
      handle: 'pci/0000:65:00.2',
      pciAddress: '0000:65:00.2',
      sfNumber: null,
    });
  });

  test('that is a scalable function has its number, and the address of its PF', () => {
    const row = { bus: 'auxiliary', name: 'mlx5_core.sf.4', pciAddress: '0000:65:00.0' };
    expect(only(row)).toMatchObject({
      handle: 'auxiliary/mlx5_core.sf.4',
      pciAddress: '0000:65:00.0',
      sfNumber: 88,
    });
    expect(only({ ...row, name: 'mlx5_core.sf.5' })).toMatchObject({ sfNumber: null });
  });

  test('of software has none, nor has what is no address', () => {
    expect(only({ bus: '', name: 'vdpasim_net', pciAddress: '' })).toMatchObject({
      handle: 'vdpasim_net',
      bus: null,
      pciAddress: null,
      sfNumber: null,
    });
    expect(only({ pciAddress: '0000:65' })?.pciAddress).toBeNull();
  });
});

test.each([
  ['vdpasim_net', 'simulator'],
  ['vdpasim_blk', 'simulator'],
  ['vduse', 'vduse'],
  ['vduse2', 'other'],
  ['my_vdpasim', 'other'],
  ['', 'other'],
] as const)('the software parent %j is of kind %s', (name, kind) => {
  expect(softwareParentKind(name)).toBe(kind);
});
