import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import { CapturedHost } from '../support/captured-host.js';

const pf = '0000:65:00.0';
const vf = '0000:65:00.1';
const id = `pci/${vf}`;

function hostWithVfs(): CapturedHost {
  const tree = new CapturedHost();
  tree.pf({ address: pf, totalVfs: 8, numVfs: 3 });
  return tree;
}

async function refusal(tree: CapturedHost, deviceId = id): Promise<unknown> {
  await using host = await VdpaHost.open({ root: tree.root });
  try {
    return host.resolve(deviceId);
  } catch (error) {
    return error;
  }
}

describe('resolving a device id', () => {
  test('gives the char device that stands there now', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf), { minor: 7 });
    await using host = await VdpaHost.open({ root: tree.root });

    const expected = {
      id,
      name: 'vdpa0',
      charDevice: { path: '/dev/vhost-vdpa-7', major: 250, minor: 7, nodeExists: true },
    };
    expect(host.resolve(id)).toEqual(expected);
    expect(host.resolve(id)).toEqual(expected);
  });

  test('fails with DEVICE_NOT_FOUND where there is no such function', async () => {
    using tree = hostWithVfs();

    expect(await refusal(tree, 'pci/0000:99:00.1')).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      retry: 'later',
      message: expect.stringContaining('nothing is there'),
    });
  });

  test('fails with DEVICE_NOT_FOUND where the function carries no device', async () => {
    using tree = hostWithVfs();

    expect(await refusal(tree)).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      retry: 'after-fix',
      message: expect.stringContaining('vdpa dev add'),
    });
    expect(await refusal(tree, 'vdpa/sim0')).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  });

  test('never takes the device of a scalable function for that of its PF', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.scalableFunction(pf, 'mlx5_core.sf.4', '88\n'));

    expect(await refusal(tree, `pci/${pf}`)).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
    expect(await refusal(tree, `pci/${pf}/sf/88`)).toMatchObject({ name: 'vdpa0' });
  });

  test.each(['88', '8', '0', '4294967295'])(
    'fails for scalable function %s of others',
    async (n) => {
      using tree = hostWithVfs();
      tree.scalableFunction(pf, 'mlx5_core.sf.4', '880\n');
      tree.scalableFunction(pf, 'mlx5_core.sf.5', '\n');
      tree.scalableFunction(pf, 'mlx5_core.sf.6', '0x58\n');

      expect(await refusal(tree, `pci/${pf}/sf/${n}`)).toMatchObject({
        code: 'DEVICE_NOT_FOUND',
        message: expect.stringContaining('no such scalable function'),
      });
    },
  );

  test('never takes a hardware device by the name of a software one', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf));

    expect(await refusal(tree, 'vdpa/vdpa0')).toMatchObject({ code: 'DEVICE_NOT_FOUND' });
  });

  test.each([
    [null, 'bound to no driver'],
    ['virtio_vdpa', 'bound to virtio_vdpa'],
  ])('fails with DEVICE_NOT_BOUND under the driver %s', async (driver, words) => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf), { driver });

    expect(await refusal(tree)).toMatchObject({
      code: 'DEVICE_NOT_BOUND',
      message: expect.stringContaining(words),
    });
  });

  test('fails with CHAR_DEVICE_MISSING without the node', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf), { node: false });

    expect(await refusal(tree)).toMatchObject({ code: 'CHAR_DEVICE_MISSING', retry: 'later' });
  });

  test.each([
    '',
    'pci/',
    'pci/0000:65:00',
    'pci/0000:65:00.8',
    'pci/0000:65:20.0',
    'pci/0000:65:00.0 ',
    'PCI/0000:65:00.0',
    'pci/0000:6A:00.0',
    'pci/00010000:65:00.0',
    'pci/0000:65:00.0/sf/',
    'pci/0000:65:00.0/sf/01',
    'pci/0000:65:00.0/sf/4294967296',
    'pci/0000:65:00.0/sf/-1',
    'vdpa/',
    'vdpa/.',
    'vdpa/..',
    'vdpa/a/b',
    'vdpa/a\0b',
    `vdpa/${'x'.repeat(256)}`,
    `vdpa/${'ü'.repeat(128)}`,
    'vdpa0',
    '/dev/vhost-vdpa-0',
  ])('is a TypeError for %j, which is none', async (text) => {
    using tree = hostWithVfs();

    const error = await refusal(tree, text);

    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).message).toContain('is no device id');
  });
});

describe('an earlier answer', () => {
  test('does not survive a device made anew under another name and number', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf));
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(id)).toMatchObject({ name: 'vdpa0', charDevice: { minor: 0 } });

    tree.deleteVdpa('vdpa0');
    expect(() => host.resolve(id)).toThrow(expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }));
    tree.vdpa('other', tree.pciPath(vf), { minor: 5 });

    expect(host.resolve(id)).toMatchObject({ name: 'other', charDevice: { minor: 5 } });
  });

  test('is not believed when its number now belongs to another device', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf));
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(id).charDevice.minor).toBe(0);

    tree.deleteVdpa('vdpa0');
    tree.vdpa('vdpa9', tree.pciPath('0000:65:00.2'));
    tree.vdpa('vdpa0', tree.pciPath(vf));

    expect(host.resolve('pci/0000:65:00.2').charDevice.minor).toBe(0);
    expect(host.resolve(id).charDevice.minor).toBe(1);
  });

  test('is not believed when the same name and number now stand elsewhere', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf));
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(id).name).toBe('vdpa0');

    tree.deleteVdpa('vdpa0');
    tree.vdpa('vdpa0', tree.pciPath('0000:65:00.2'));

    expect(() => host.resolve(id)).toThrow(expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }));
    expect(host.resolve('pci/0000:65:00.2').name).toBe('vdpa0');
  });

  test('is not believed when a scalable function changed places with another', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.scalableFunction(pf, 'mlx5_core.sf.4', '88\n'));
    tree.vdpa('vdpa1', tree.scalableFunction(pf, 'mlx5_core.sf.5', '99\n'));
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(`pci/${pf}/sf/88`).name).toBe('vdpa0');

    tree.file(`sys/devices/${tree.pciPath(pf)}/mlx5_core.sf.4/sfnum`, '99\n');
    tree.file(`sys/devices/${tree.pciPath(pf)}/mlx5_core.sf.5/sfnum`, '88\n');

    expect(host.resolve(`pci/${pf}/sf/88`).name).toBe('vdpa1');
    expect(host.resolve(`pci/${pf}/sf/99`).name).toBe('vdpa0');
  });

  test('keeps naming the same one of two devices on a parent', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa5', tree.pciPath(vf));
    await using host = await VdpaHost.open({ root: tree.root });
    expect(host.resolve(id).name).toBe('vdpa5');

    tree.vdpa('vdpa1', tree.pciPath(vf));

    expect(host.resolve(id).name).toBe('vdpa5');
  });

  test('is of no use once the node is gone, and comes back with it', async () => {
    using tree = hostWithVfs();
    tree.vdpa('vdpa0', tree.pciPath(vf));
    await using host = await VdpaHost.open({ root: tree.root });
    host.resolve(id);

    tree.remove('dev/vhost-vdpa-0');
    expect(() => host.resolve(id)).toThrow(
      expect.objectContaining({ code: 'CHAR_DEVICE_MISSING' }),
    );
    tree.file('dev/vhost-vdpa-0', '');

    expect(host.resolve(id).name).toBe('vdpa0');
  });
});
