import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { type DeviceId, type VdpaDevice, VdpaHost } from '../../../src/index.js';
import type { NamedDevicesRow, SnapshotRow, UeventRow } from '../../../src/rows.js';
import { exampleOf } from '../../support/example-of.js';
import {
  busDeviceRow,
  pciFunctionRow,
  pfRow,
  snapshotRow,
  vdpaDeviceRow,
} from '../support/rows.js';
import { FaultyStore } from '../tracker/support/faulty-store.js';

// The examples of docs/events.md that follow a host, whose kernel is made up.

type Listener = (events: readonly UeventRow[], lost: boolean) => void;
const native = {
  snapshot: vi.fn(async (): Promise<SnapshotRow> => snapshotRow()),
  namedDevices: vi.fn(async (): Promise<NamedDevicesRow> => ({ vdpaDevices: [], busDevices: [] })),
  abandon: () => {},
  close: async () => {},
};
let listener: Listener = () => {};
vi.mock('../../../src/native.js', () => ({
  openNativeHost: () => native,
  openUeventMonitor: (_: number, told: Listener) => {
    listener = told;
    return { close: () => {} };
  },
}));

let seqnum = 100n;
function tell(action: string, name: string): void {
  listener([{ action, subsystem: 'vdpa', devpath: `/devices/${name}`, seqnum: ++seqnum }], false);
}

const rows = (...names: string[]): NamedDevicesRow => ({
  busDevices: names.map((name) => busDeviceRow({ name })),
  vdpaDevices: names.map((name) => vdpaDeviceRow({ name })),
});
const hostWith = (...names: string[]): SnapshotRow =>
  snapshotRow({
    pciFunctions: [pfRow(), pciFunctionRow()],
    ...rows(...names),
    ueventSeqnum: seqnum,
  });

/** After which what failed in the background is tried again. */
const retryMs = 1000;

beforeEach(() => native.snapshot.mockResolvedValue(hostWith('vdpa0')));
afterEach(() => vi.useRealTimers());

test('docs/events.md follows a host, through what fails and what is lost', async () => {
  const host = await VdpaHost.open();
  let devices = new Map<string, VdpaDevice>();
  class Kept extends Map<string, VdpaDevice> {
    constructor(entries: readonly (readonly [string, VdpaDevice])[]) {
      super(entries);
      devices = this;
    }
  }
  const said: string[] = [];
  const given = {
    host,
    warn: (text: string) => said.push(text),
    offer: async ({ name }: VdpaDevice) => said.push(`offer ${name}`),
    Map: Kept,
  };
  const example = await exampleOf('docs/events.md#The host', Object.keys(given));
  const done = example(given);
  await vi.waitUntil(() => devices.size === 1);
  native.namedDevices.mockResolvedValueOnce(rows('vdpa1'));
  tell('add', 'vdpa1');
  await vi.waitUntil(() => said.includes('offer vdpa1'));
  native.namedDevices.mockRejectedValueOnce(new VdpaError('RESOURCE_EXHAUSTED', 'no descriptors'));
  native.snapshot.mockResolvedValue(hostWith('vdpa1', 'vdpa2'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  tell('remove', 'vdpa0');
  await vi.waitUntil(() => said.includes('no descriptors'));
  await vi.advanceTimersByTimeAsync(retryMs);
  await vi.waitUntil(() => said.includes('offer vdpa2'));
  vi.useRealTimers();
  native.snapshot.mockResolvedValue(hostWith('vdpa3'));
  listener([], true);
  await vi.waitUntil(() => said.includes('offer vdpa3'));
  await host.close();
  await done;
  expect(said).toEqual(['offer vdpa1', 'no descriptors', 'offer vdpa2', 'offer vdpa3']);
  expect([...devices.keys()]).toEqual(['vdpa3']);
});

test('docs/events.md logs what nobody waits for', async () => {
  const store = new FaultyStore();
  const full = new VdpaError('STORE_FULL', 'no room', { retry: 'later' });
  const logged: unknown[][] = [];
  const given = {
    deviceSpec: [{ vendor_id: '15b3' }],
    store,
    write: (...entry: unknown[]) => logged.push(entry),
    work: async (host: VdpaHost) => {
      const ofVf = () => host.tracker.record('pci/0000:65:00.2' as DeviceId)?.device;
      expect(ofVf()?.vdpa?.name).toBe('vdpa0');
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      store.fail({ before: full });
      tell('remove', 'vdpa0');
      await vi.waitUntil(() => logged.length > 0);
      await vi.advanceTimersByTimeAsync(retryMs);
      await vi.waitUntil(() => ofVf()?.vdpa === null);
      vi.useRealTimers();
    },
  };
  const example = await exampleOf('docs/events.md#The log', Object.keys(given));
  await example(given);
  expect(logged).toEqual([
    ['warn', 'the records are not in line with the host; trying again', { err: full }],
  ]);
});
