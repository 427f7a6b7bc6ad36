import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { QmpDriver } from '../../src/guest/qmp-driver.js';
import type { DeviceId } from '../../src/host/device-id.js';
import { interfaceName, type PlugSelection } from '../../src/index.js';
import type { AttachOptions } from '../../src/lifecycle/attach-claim.js';
import type { GuestPlace } from '../../src/lifecycle/guest-place.js';
import { GuestPlugs } from '../../src/lifecycle/guest-plugs.js';
import type { PortId } from '../../src/policy/device-request.js';
import { exampleOf } from '../support/example-of.js';
import { vdpaRequest } from '../support/requests.js';
import { ScriptedMonitor } from './guest/support/scripted-monitor.js';
import { attachingHost } from './lifecycle/support/attaching-host.js';
import { MadeUpGuests, RecordingNetwork } from './lifecycle/support/made-up-guests.js';
import { card, claimId, instance } from './tracker/support/devices.js';
import { trackerOf } from './tracker/support/hosts.js';

// docs/events.md. Its examples of a watch and of a logger are in faked/events-document.test.ts.

const src = fileURLToPath(new URL('../../src', import.meta.url));
const document = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');

/** The first column of the tables of a section, without its quotes. */
function firstColumn(section: string): string[] {
  const [, text = ''] = document.split(`\n## ${section}\n`);
  const [own = ''] = text.split('\n## ');
  return [...own.matchAll(/^\| `([^`]+)` +\|/gm)].map(([, cell = '']) => cell);
}

/** What a module's union of events has for `type`. */
function typesIn(path: string): string[] {
  const text = readFileSync(`${src}/${path}`, 'utf8');
  return [...text.matchAll(/readonly type: '([^']+)'/g)].map(([, type = '']) => type);
}

describe('docs/events.md has every event', () => {
  test.each([
    ['The host', 'host/host-event.ts'],
    ['Guests', 'guest/guest-event.ts'],
  ])('of "%s", and no other', (section, path) => {
    expect(firstColumn(section).toSorted()).toEqual(typesIn(path).toSorted());
  });

  test('of the tracker', () => {
    const types = typesIn('tracker/tracker-event.ts');
    expect(types).toHaveLength(3);
    expect(firstColumn('Records and claims').slice(0, types.length)).toEqual(types);
  });

  test('and every entry of the log', () => {
    expect(loggedMessages().length).toBeGreaterThan(5);
    for (const message of loggedMessages()) expect(document).toContain(`\`${message}\``);
  });
});

/** What is given to a logger anywhere in the library. */
function loggedMessages(): string[] {
  const messages: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression: logger, name } = node.expression;
      const message = node.arguments[1];
      const logs = /logger$/i.test(logger.getText()) && /^(info|warn|error)$/.test(name.text);
      if (logs && message !== undefined && ts.isStringLiteral(message)) messages.push(message.text);
    }
    ts.forEachChild(node, visit);
  };
  for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const code = readFileSync(`${src}/${file}`, 'utf8');
    visit(ts.createSourceFile(file, code, ts.ScriptTarget.ESNext, true));
  }
  return messages;
}

const vm1 = instance('vm1');

describe('the examples of docs/events.md', () => {
  test('keep up with claims', async () => {
    const tracker = await trackerOf(card('06', 2));
    await tracker.claim({ id: claimId('c1'), instance: vm1, requests: [vdpaRequest()] });
    const said: string[] = [];
    let instances = new Map<string, string>();
    class Kept extends Map<string, string> {
      constructor(entries: readonly (readonly [string, string])[]) {
        super(entries);
        instances = this;
      }
    }
    const given = { host: { tracker }, warn: (text: string) => said.push(text), Map: Kept };
    const example = await exampleOf('docs/events.md#Records and claims', Object.keys(given));
    const done = example(given);
    await tracker.claim({
      id: claimId('c2'),
      instance: instance('vm2'),
      requests: [vdpaRequest()],
    });
    await tracker.sync({ devices: [], cells: null });
    await tracker.release({ claim: claimId('c1') });
    await tracker.close();
    await done;
    expect([...instances]).toEqual([['c2', 'vm2']]);
    expect(said.toSorted()).toEqual(['pci/0000:06:00.1 is gone', 'pci/0000:06:00.2 is gone']);
  });

  test('hear what guests do', async () => {
    const name = interfaceName(claimId('c1'), 'vdpa/sim0' as DeviceId);
    let there = true;
    let asked = 0;
    await using monitor = await ScriptedMonitor.start(({ execute, id }, it) => {
      if (execute === 'query-fdsets') return [];
      if (execute === 'qom-list') return there ? [{ name, type: 'child<virtio-net-pci>' }] : [];
      if (execute !== 'device_del') return {};
      it.return({ execute, id });
      there = ++asked < 2;
      const event = there ? 'DEVICE_UNPLUG_GUEST_ERROR' : 'DEVICE_DELETED';
      it.event(event, { device: name, path: '/x' });
      return undefined;
    });
    const driver = new QmpDriver({ monitor: monitor.template });
    const said: string[] = [];
    const given = {
      driver,
      note: async (guest: string, text: string) => said.push(`${guest} ${text}`),
      lookAtAll: async () => said.push('all'),
    };
    const example = await exampleOf('docs/events.md#Guests', Object.keys(given));
    const done = example(given);
    await driver.detach(vm1, name);
    monitor.hangUp();
    await expect.poll(() => said.at(-1)).toBe('all');
    await monitor.end();
    await expect.poll(() => said.at(-1)).toBe('vm1 has ended');
    await driver.close();
    await done;
    expect(said).toEqual([`vm1 keeps ${name}`, `vm1 let go of ${name}`, 'all', 'vm1 has ended']);
  });

  test('tell the steps of an attach, which are those that it says', async () => {
    const tracker = await trackerOf(card('06', 2));
    const { id } = await tracker.claim({
      id: claimId('c1'),
      instance: vm1,
      requests: [vdpaRequest(1, { portId: 'p1' as PortId })],
    });
    const guests = new MadeUpGuests([], vm1);
    const plugs = new GuestPlugs(attachingHost(tracker));
    const place: GuestPlace = { driver: guests, guest: vm1, reference: 'made-up:vm1' };
    const network = new RecordingNetwork([]);
    const said: string[] = [];
    const given = {
      host: {
        attach: (selection: PlugSelection, at: GuestPlace, options: AttachOptions) =>
          plugs.attach(selection, at, { ...options, network }),
      },
      id,
      place,
      instance: vm1,
      progress: (_: string, what: string) => said.push(what),
    };
    const example = await exampleOf('docs/events.md#Steps of a call', Object.keys(given));
    await example(given);
    await example(given);
    const onStep = (what: string): unknown => said.push(what);
    await plugs.detach({ claim: id }, place, { network, onStep });
    const [device = ''] = tracker
      .records()
      .map((record) => record.device.id)
      .filter((one) => said.some((what) => what.includes(one)));
    const named: Record<string, string> = { C: id, D: device, G: 'made-up:vm1', P: 'p1' };
    const [, section = ''] = document.split('\n## Steps of a call\n');
    const steps = [...section.matchAll(/`([a-z][^`]* [CDGP]\b[^`]*)`/g)].map(([, step = '']) =>
      step.replaceAll(/\b[CDGP]\b/g, (letter) => named[letter] ?? letter),
    );
    expect(new Set(said)).toEqual(new Set(steps));
    expect(said.slice(6, 9)).toEqual([
      'note that claim c1 goes into made-up:vm1',
      `see that made-up:vm1 has ${device}`,
      'note that claim c1 is in made-up:vm1',
    ]);
  });
});
