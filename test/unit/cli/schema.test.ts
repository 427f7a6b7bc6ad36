import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DocumentKind } from '../../../src/cli/documents/document.js';
import { documentSchemas, jsonSchemaText } from '../../../src/cli/schema.js';
import { VdpaError } from '../../../src/errors.js';
import { deviceHealth } from '../../../src/host/device-health.js';
import type { HostEvent } from '../../../src/index.js';
import { blockConfig, fakeHost, refusesConfig, refusesOverride } from './support/fake-host.js';
import {
  inventory,
  managementDevice,
  pciFunction,
  pf,
  simulator,
  vf,
  vfDevice,
} from './support/inventory.js';
import { runCli } from './support/run-cli.js';

const kinds = Object.keys(documentSchemas) as DocumentKind[];
const folder = new URL('../../../docs/schema/', import.meta.url);

describe('docs/schema', () => {
  it.each([...kinds, 'declaration'] as const)(
    'has %s as the source makes it (UPDATE_SCHEMAS=1 writes it anew)',
    (kind) => {
      const file = new URL(`${kind}.json`, folder);
      const text = jsonSchemaText(kind);
      const { UPDATE_SCHEMAS } = process.env;
      if (UPDATE_SCHEMAS === '1') writeFileSync(file, text);
      expect(existsSync(file) ? readFileSync(file, 'utf8') : null).toBe(text);
    },
  );

  it('has nothing else', () => {
    const files = [...kinds, 'declaration'].map((kind) => `${kind}.json`);
    expect(readdirSync(folder).sort()).toEqual(files.sort());
  });

  it.each(kinds)('%s is draft 2020-12 and closed', (kind) => {
    const schema = JSON.parse(jsonSchemaText(kind));
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      additionalProperties: false,
      properties: { schemaVersion: { const: 1 }, kind: { const: kind } },
    });
  });
});

async function documentOf(argv: readonly string[], host = fakeHost()): Promise<unknown> {
  const { stdout, stderr } = await runCli([...argv, '--json'], { host });
  const text = stdout === '' ? stderr : stdout;
  expect([stdout, stderr].filter((output) => output !== '')).toHaveLength(1);
  expect(text.trimEnd()).not.toContain('\n');
  return JSON.parse(text);
}

describe('the documents of watch fit', () => {
  const owner = pf('0000:65:00.0');
  const place = vf(owner, 1);
  const other = pciFunction('0000:07:00.0');
  const manager = managementDevice('pci/0000:65:00.3');
  const device = vfDevice('vdpa0', place);
  const error = new VdpaError('KERNEL_TIMEOUT', 'no answer', { step: 'watch', retry: 'later' });
  const events: readonly HostEvent[] = [
    { type: 'added', device },
    { type: 'removed', device },
    { type: 'changed', device, before: device, changes: ['driver'] },
    { type: 'ready', device },
    { type: 'unready', device },
    { type: 'health', device, health: deviceHealth(device, 'down'), before: null },
    { type: 'pfAdded', pf: owner },
    { type: 'pfRemoved', pf: owner },
    { type: 'pfChanged', pf: owner, before: owner, changes: ['numVfs'] },
    { type: 'vfAdded', vf: place },
    { type: 'vfRemoved', vf: place },
    { type: 'vfChanged', vf: place, before: place, changes: ['driver'] },
    { type: 'otherFunction', function: other, before: null },
    { type: 'otherFunction', function: null, before: other },
    { type: 'managementDevice', managementDevice: manager, before: null },
    { type: 'managementDevice', managementDevice: null, before: manager },
    { type: 'resync', reason: 'events-lost' },
    { type: 'resync', reason: 'consumer-slow' },
    { type: 'stale', error },
  ];

  it('one a line: how the host stands, the events, and how it stands after a resync', async () => {
    const host = fakeHost({ events: () => events });
    const { stdout, code } = await runCli(['watch', '--json'], { host, isTty: true });
    const documents = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const document of documents) {
      const kind = document.kind === 'inventory' ? 'inventory' : 'event';
      expect(documentSchemas[kind].parse(document)).toEqual(document);
      expect(document.time).toBe(new Date(2026, 0, 2, 12, 3, 4).toISOString());
    }
    expect(documents.map(({ kind, event }) => event?.type ?? kind)).toEqual([
      'inventory',
      ...events.flatMap(({ type }) => (type === 'resync' ? [type, 'inventory'] : [type])),
    ]);
    expect(code).toBe(0);
  });
});

describe('real documents fit', () => {
  it.each([
    ['list', ['list']],
    ['tree', ['tree']],
    ['tree', ['tree', '--health']],
    ['stats', ['stats', 'vdpa0']],
    ['show', ['show', 'vdpa0']],
    ['show', ['show', 'pci/0000:65:00.2']],
    ['show', ['show', '0000:65:00.0']],
    ['show', ['show', '0000:65:00.3']],
    ['show', ['show', 'vduse']],
    ['doctor', ['doctor']],
    ['store-check', ['store', 'check', '/var/lib/vdpa-host/store']],
    ['capture', ['capture', 'host.tar.gz']],
    ['create', ['create', 'pci/0000:b3:00.2']],
    ['delete', ['delete', 'vdpa2']],
    ['set-mac', ['set-mac', 'vdpa2', '02:00:00:00:00:05']],
    ['bind', ['bind', 'vdpa2', 'vhost_vdpa']],
    ['bind', ['bind', 'vdpa2', 'none']],
    ['vfs', ['vfs', '65:00.0', '4']],
    ['provision', ['provision', 'docs/provision.json']],
    ['provision', ['provision', 'docs/provision.json', '--check']],
    ['error', ['delete', 'vdpa1']],
    ['error', ['show', 'nothing']],
    ['error', ['show']],
  ] as const)('%s: %j', async (kind, argv) => {
    const document = await documentOf(argv);
    expect(documentSchemas[kind].parse(document)).toEqual(document);
  });

  it('show of a block device, with numbers of 64 bits as text', async () => {
    const devices = [simulator('blk0', { class: 'block' })];
    const host = fakeHost({ inventory: inventory({ devices }), config: blockConfig });
    const document = documentSchemas.show.parse(await documentOf(['show', 'blk0'], host));
    expect(document.devices[0]?.config).toMatchObject({
      features: '0x300000000',
      negotiatedFeatures: '0x100000000',
      block: { capacitySectors: '4611686018427387905' },
    });
  });

  it('show of a device that does not tell its configuration', async () => {
    const document = documentSchemas.show.parse(
      await documentOf(['show', 'vdpa0'], fakeHost({ config: refusesConfig })),
    );
    expect(document.devices[0]).toMatchObject({
      config: null,
      configError: { code: 'NOT_SUPPORTED', errno: 'EOPNOTSUPP', retry: 'never' },
    });
  });

  it.each([
    ['a PF', '0000:65:00.0'],
    ['a VF', '0000:65:00.3'],
    ['another function', '0000:07:00.0'],
  ])('show of %s, with the driver it is for or why that can not be had', async (_, address) => {
    const owner = pf('0000:65:00.0');
    const all = inventory({
      pfs: [owner],
      vfs: [vf(owner, 1)],
      others: [pciFunction('0000:07:00.0')],
    });
    const functionOf = async (override: (address: string) => string | null) => {
      const host = fakeHost({ inventory: all, override });
      const document = await documentOf(['show', address], host);
      expect(documentSchemas.show.parse(document)).toEqual(document);
      return documentSchemas.show.parse(document).functions;
    };
    expect(await functionOf(() => 'vfio-pci')).toEqual([
      expect.objectContaining({ driverOverride: 'vfio-pci', driverOverrideError: null }),
    ]);
    expect(await functionOf(() => null)).toEqual([
      expect.objectContaining({ driverOverride: null, driverOverrideError: null }),
    ]);
    expect(await functionOf(refusesOverride)).toEqual([
      expect.objectContaining({
        driverOverride: null,
        driverOverrideError: expect.objectContaining({ code: 'KERNEL_TIMEOUT', retry: 'later' }),
      }),
    ]);
  });

  it('tree without what only show asks', async () => {
    expect(JSON.stringify(await documentOf(['tree']))).not.toContain('driverOverride');
  });

  it('show of other functions, and of a host without the family', async () => {
    const host = fakeHost({
      inventory: inventory({
        abi: null,
        others: [pciFunction('0000:07:00.0')],
        vfs: [vf(pf('0000:65:00.0'), 1)],
      }),
    });
    documentSchemas.show.parse(await documentOf(['show', '0000:07:00.0'], host));
    const tree = documentSchemas.tree.parse(await documentOf(['tree'], host));
    expect(tree.abi).toBeNull();
    expect(tree.numaNodes[0]?.others.map(({ type }) => type)).toEqual(['vf', 'other']);
  });

  it('errors with the place of the attribute that the kernel refused, where there is one', async () => {
    const errorOf = async (attributeOffset: number | undefined) => {
      const details = { errno: 'EINVAL', extack: 'no', step: 'DEV_NEW', attributeOffset };
      const error = new VdpaError('KERNEL_REFUSED', 'refused', details);
      const host = { ...fakeHost(), inventory: () => Promise.reject(error) };
      return documentSchemas.error.parse(await documentOf(['list'], host)).error;
    };
    expect(await errorOf(24)).toMatchObject({ extack: 'no', attributeOffset: 24 });
    expect(await errorOf(0)).toMatchObject({ attributeOffset: 0 });
    expect(await errorOf(undefined)).not.toHaveProperty('attributeOffset');
  });

  it('errors of every kind', async () => {
    for (const error of [new VdpaError('CLOSED', 'closed'), new Error('oops'), 'a string']) {
      const host = { ...fakeHost(), inventory: () => Promise.reject(error) };
      documentSchemas.error.parse(await documentOf(['list'], host));
    }
  });
});

describe('the schemas refuse', () => {
  it.each([
    ['an unknown key of the document', (d: Draft) => Object.assign(d, { extra: 1 })],
    ['an unknown key of a device', (d: Draft) => Object.assign(d.devices[0] ?? {}, { extra: 1 })],
    ['an unknown reason', (d: Draft) => Object.assign(d.devices[0] ?? {}, { reasons: ['mood'] })],
    ['another version', (d: Draft) => Object.assign(d, { schemaVersion: 2 })],
    ['a missing key', (d: Draft) => Reflect.deleteProperty(d, 'consistent')],
  ])('%s', async (_, spoil) => {
    const draft = (await documentOf(['list'])) as Draft;
    expect(documentSchemas.list.safeParse(draft).success).toBe(true);
    spoil(draft);
    expect(documentSchemas.list.safeParse(draft).success).toBe(false);
  });
});

interface Draft {
  readonly devices: object[];
}

it('prints one line for programs, indented for a person', async () => {
  const { stdout } = await runCli(['list', '--json'], { isTty: true });
  expect(stdout.startsWith('{\n  "schemaVersion": 1,\n')).toBe(true);
  expect(JSON.parse(stdout)).toEqual(await documentOf(['list']));
});
