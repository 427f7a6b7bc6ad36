import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { createGzip } from 'node:zlib';
import { VdpaError } from '../errors.js';
import type { NativeHost } from '../native.js';
import { type CaptureManifest, manifestName, newManifest } from './capture-manifest.js';
import type { CallOptions, Connection } from './connection.js';
import type { DeviceConfig } from './device-config.js';
import type { Finding } from './finding.js';
import type { Inventory } from './inventory.js';
import { assertFree, makeFile } from './new-file.js';
import type { ResolvedCharDevice } from './resolver.js';
import { tarEnd, tarEntry } from './tar.js';

export interface CaptureOptions extends CallOptions {
  /** Replace the file when it is there already. */
  readonly force?: boolean | undefined;
}

/** What a capture came to. */
export interface Capture {
  /** Absolute path. */
  readonly file: string;
  readonly bytes: number;
  /** False when the host kept changing: the capture may show things of different moments. */
  readonly consistent: boolean;
  /** How many of each are in it. */
  readonly devices: number;
  readonly pciFunctions: number;
  readonly managementDevices: number;
  /** What was asked and got no answer, by step: a replay answers as if there was nothing. */
  readonly unanswered: readonly string[];
  /** What was read and may be in no capture. Empty, unless a link leads where none is expected. */
  readonly withheld: readonly string[];
}

/** What is read of a host, by the calls that all others use too. */
export interface CaptureSource {
  inventory(options?: CallOptions): Promise<Inventory>;
  preflight(options?: CallOptions): Promise<readonly Finding[]>;
  deviceConfig(name: string, options?: CallOptions): Promise<DeviceConfig>;
  driverOverride(address: string, options?: CallOptions): Promise<string | null>;
  resolve(deviceId: string): ResolvedCharDevice;
  close(): Promise<void>;
}

interface Reading {
  readonly connection: Connection;
  readonly inventory: Inventory;
  readonly consistent: boolean;
  readonly unanswered: readonly string[];
}

const maxAttempts = 3;

/**
 * Writes down everything that reading calls read of a host. There is no list of it here: the calls
 * are made, on connections that remember what they read, so a capture has what a replay asks for.
 *
 * @param open opens the host anew, on a connection that records
 * @throws {VdpaError} `CAPTURE_EXISTS`, `CAPTURE_NOT_WRITTEN`, and what the reading calls throw
 */
export async function captureHost(
  open: () => { readonly host: CaptureSource; readonly connection: Connection },
  file: string,
  { force = false, signal }: CaptureOptions,
): Promise<Capture> {
  const path = resolve(file);
  await assertFree(path, force);
  for (let attempt = 1; ; attempt++) {
    const { host, connection } = open();
    try {
      const reading = { connection, ...(await readAll(host, connection, signal)) };
      if (!reading.consistent && attempt < maxAttempts) continue;
      return await write(reading, path, { force, signal });
    } finally {
      await host.close();
    }
  }
}

async function readAll(
  host: CaptureSource,
  { native }: Connection,
  signal: AbortSignal | undefined,
): Promise<Omit<Reading, 'connection'>> {
  const eventsSoFar = (): string | null => native.readText('sys/kernel/uevent_seqnum');
  const before = eventsSoFar();
  await host.preflight({ signal });
  const inventory = await host.inventory({ signal });
  const unanswered: string[] = [];
  const ask = async (asked: Promise<unknown>, recorded: (error: VdpaError) => boolean) => {
    try {
      await asked;
    } catch (error) {
      if (!(error instanceof VdpaError)) throw error;
      if (!recorded(error)) unanswered.push(error.step ?? error.message);
    }
  };
  for (const { name, id } of inventory.devices) {
    // The kernel's refusal is an answer like any other, and is replayed.
    await ask(host.deviceConfig(name, { signal }), ({ code }) => !gotNoAnswer.has(code));
    tryTo(() => host.resolve(id));
  }
  for (const { address } of [...inventory.pfs, ...inventory.vfs, ...inventory.others]) {
    await ask(host.driverOverride(address, { signal }), ({ code }) => code === 'DEVICE_NOT_FOUND');
  }
  if (before === eventsSoFar()) {
    return { inventory, consistent: inventory.consistent, unanswered };
  }
  // Events alone do not change a host: an interface of a container sends one, too.
  const again = await host.inventory({ signal });
  const same = inventory.consistent && isDeepStrictEqual(inventory, again);
  return { inventory: again, consistent: same, unanswered };
}

const gotNoAnswer: ReadonlySet<string> = new Set([
  'KERNEL_TIMEOUT',
  'KERNEL_OVERRUN',
  'RESOURCE_EXHAUSTED',
]);

/** For what it reads; that a device can not be resolved is in what it reads. */
function tryTo(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof VdpaError)) throw error;
  }
}

async function write(
  { connection, inventory, consistent, unanswered }: Reading,
  file: string,
  options: { readonly force: boolean; readonly signal: AbortSignal | undefined },
): Promise<Capture> {
  const { native } = connection;
  const withheld = native.withheld();
  const manifest: CaptureManifest = newManifest(
    { consistent, unanswered, withheld, machine: connection.facts },
    connection.live ? undefined : (connection.capture?.kernel ?? null),
  );
  const bytes = await makeFile(file, archive(manifest, native), createGzip(), options);
  return {
    file,
    bytes,
    consistent,
    devices: inventory.devices.length,
    pciFunctions: inventory.pfs.length + inventory.vfs.length + inventory.others.length,
    managementDevices: inventory.managementDevices.length,
    unanswered,
    withheld,
  };
}

/** The order of RecordedEntry::Kind in native/core/recording.h. */
const kinds = ['directory', 'file', 'link'] as const;
/** Few, so that the event loop has its turns. */
const entriesAtOnce = 256;

function* archive(manifest: CaptureManifest, native: NativeHost): Generator<Buffer> {
  const mtime = new Date(manifest.madeAt);
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  yield* tarEntry({ path: manifestName, kind: 'file', content: text }, mtime);
  for (let after = ''; ; ) {
    const list = native.recorded(after, entriesAtOnce);
    if (list.length === 0) break;
    for (let index = 0; index < list.length; index += 3) {
      const [path, kind, content] = list.slice(index, index + 3) as [string, number, Buffer];
      yield* tarEntry({ path, kind: kinds[kind] ?? 'file', content }, mtime);
      after = path;
    }
  }
  yield tarEnd;
}
