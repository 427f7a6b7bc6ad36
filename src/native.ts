import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VdpaError } from './errors.js';
import { nativeError } from './native-error.js';
import { type PackedRows, RowReader } from './row-reader.js';
import {
  type DeviceConfigRow,
  deviceConfigRow,
  type FamilyListsRow,
  familyListsRow,
  type NamedDevicesRow,
  namedDevicesRow,
  type ResolvedRow,
  resolvedRow,
  type SnapshotRow,
  snapshotRow,
  type UeventRow,
  ueventRows,
  type VendorStatsRow,
  vendorStatsRow,
} from './rows.js';
import { finish, inTurns } from './turns.js';

/** Attributes of a new device; null leaves the choice to the driver. */
export interface NativeAddRequest {
  readonly name: string;
  readonly managementBus: string;
  readonly managementName: string;
  readonly mac: string | null;
  readonly mtu: number | null;
  readonly maxVqPairs: number | null;
  readonly features: bigint | null;
}

/** The class Host of native/addon/host.cc: rows are still packed. */
interface AddonHost {
  snapshot(timeoutMs: number): Promise<PackedRows>;
  familyLists(timeoutMs: number): Promise<PackedRows>;
  namedDevices(names: readonly string[], timeoutMs: number): Promise<PackedRows>;
  deviceConfig(name: string, timeoutMs: number): Promise<PackedRows>;
  vendorStats(name: string, queueIndex: number, timeoutMs: number): Promise<PackedRows>;
  addDevice(request: NativeAddRequest, timeoutMs: number): Promise<void>;
  deleteDevice(name: string, timeoutMs: number): Promise<void>;
  setMac(name: string, mac: string, timeoutMs: number): Promise<void>;
  driverOverride(address: string, timeoutMs: number): Promise<string | null>;
  resolve(
    kind: number,
    location: string,
    hintName: string,
    hintMajor: number,
    hintMinor: number,
  ): ResolvedRow;
  readText(path: string): string | null;
  exists(path: string): boolean;
  mayOpen(path: string): boolean;
  list(path: string): string[] | null;
  record(): void;
  recorded(after: string, limit: number): (string | number | Buffer)[];
  withheld(): string[];
  abandon(): void;
  close(): Promise<void>;
}

/**
 * One open host: a thread of its own with a persistent netlink socket, and a directory handle on the
 * root it reads. Every promise rejects with a `VdpaError`. Calls queue in order.
 */
export class NativeHost {
  readonly #host: AddonHost;

  constructor(host: AddonHost) {
    this.#host = host;
  }

  async snapshot(timeoutMs: number): Promise<SnapshotRow> {
    return await inTurns(snapshotRow(new RowReader(await this.#host.snapshot(timeoutMs))));
  }

  /** The `vdpa` family's dumps as they are: neither ordered nor completed. */
  async familyLists(timeoutMs: number): Promise<FamilyListsRow> {
    return await inTurns(familyListsRow(new RowReader(await this.#host.familyLists(timeoutMs))));
  }

  /** Some devices, read anew. */
  async namedDevices(names: readonly string[], timeoutMs: number): Promise<NamedDevicesRow> {
    const packed = await this.#host.namedDevices(names, timeoutMs);
    return await inTurns(namedDevicesRow(new RowReader(packed)));
  }

  async deviceConfig(name: string, timeoutMs: number): Promise<DeviceConfigRow> {
    return new RowReader(await this.#host.deviceConfig(name, timeoutMs)).row(deviceConfigRow);
  }

  async vendorStats(name: string, queueIndex: number, timeoutMs: number): Promise<VendorStatsRow> {
    const packed = await this.#host.vendorStats(name, queueIndex, timeoutMs);
    return await inTurns(vendorStatsRow(new RowReader(packed)));
  }

  addDevice(request: NativeAddRequest, timeoutMs: number): Promise<void> {
    return this.#host.addDevice(request, timeoutMs);
  }

  /**
   * The bare command: waits, with every vDPA command of the host, for whoever has the char device
   * open. For devices that are known to be unbound; `VdpaHost.deleteDevice` is the safe way.
   */
  deleteDevice(name: string, timeoutMs: number): Promise<void> {
    return this.#host.deleteDevice(name, timeoutMs);
  }

  setMac(name: string, mac: string, timeoutMs: number): Promise<void> {
    return this.#host.setMac(name, mac, timeoutMs);
  }

  /**
   * The driver that a PCI function is reserved for; null when none is. No part of a snapshot: the
   * kernel takes the function's device lock for it, which a busy driver may hold for long.
   */
  driverOverride(address: string, timeoutMs: number): Promise<string | null> {
    return this.#host.driverOverride(address, timeoutMs);
  }

  /**
   * Answers at once: three system calls, none of which waits for a driver. `hintMajor` is 0 when
   * there is no earlier answer to check first.
   */
  resolve(
    kind: number,
    location: string,
    hintName: string,
    hintMajor: number,
    hintMinor: number,
  ): ResolvedRow {
    return this.#host.resolve(kind, location, hintName, hintMajor, hintMinor);
  }

  /** A small file below the root, trailing newline removed; null when it is not there. */
  readText(path: string): string | null {
    return this.#host.readText(path);
  }

  /** Whether the path exists below the root. */
  exists(path: string): boolean {
    return this.#host.exists(path);
  }

  /**
   * Whether this process may open a node of the live machine to read and write. Never opens it: to
   * open a char device of vhost_vdpa resets its device.
   */
  mayOpen(path: string): boolean {
    return this.#host.mayOpen(path);
  }

  /** Names in a directory below the root; null when it is not there. */
  list(path: string): string[] | null {
    return this.#host.list(path);
  }

  /** Remembers from now on all that is read; for a host that nothing has been asked of yet. */
  record(): void {
    this.#host.record();
  }

  /**
   * Path, kind and content of what is remembered, in one list: at most `limit` entries, those after
   * the path `after`. Paths are bytes: strings of "latin1", one character for each. The kind is a
   * RecordedEntry::Kind of native/core/recording.h.
   */
  recorded(after: string, limit: number): (string | number | Buffer)[] {
    return this.#host.recorded(after, limit);
  }

  /** What was read and may not be remembered. */
  withheld(): string[] {
    return this.#host.withheld();
  }

  /** Leaves the call in progress to its thread; the next call gets a new thread and socket. */
  abandon(): void {
    this.#host.abandon();
  }

  /** Resolves when the call in progress has ended and the root is let go. Idempotent. */
  close(): Promise<void> {
    return this.#host.close();
  }
}

/** A subscription to the kernel's device events; it does not keep the process alive. */
export interface UeventMonitor {
  /** Idempotent. */
  close(): void;
}

/** What native/addon/addon.cc exports. */
interface NativeAddon {
  setUp(resolved: typeof resolvedRow, error: typeof nativeError): void;
  peerCredentials(fd: number): [pid: number, uid: number, gid: number];
  notifySupervisor(socket: string, message: string): void;
  passCharDevice(
    stream: number,
    line: string,
    path: string,
    major: number,
    minor: number,
    timeoutMs: number,
  ): Promise<void>;
  tryCharDevice(path: string, major: number, minor: number): Promise<void>;
  setMemoryLock(pid: number, soft: number, hard: number): [soft: number, hard: number];
  readonly Host: new (root: string) => AddonHost;
  readonly UeventMonitor: new (
    receiveBufferBytes: number,
    listener: (events: PackedRows, lost: boolean) => void,
  ) => UeventMonitor;
}

const require = createRequire(import.meta.url);
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));
let addon: NativeAddon | undefined;

/**
 * Loads the addon at the first use: importing the library touches no native code, so that the parts
 * which need none run on any machine.
 *
 * @throws {VdpaError} `ADDON_MISSING` when no binary fits this machine
 */
function loadAddon(): NativeAddon {
  if (addon !== undefined) return addon;
  const build = buildFolder();
  try {
    const bindings: typeof import('bindings') = require('bindings');
    const loaded: NativeAddon = bindings({
      bindings: 'vdpa_host.node',
      module_root: packageRoot,
      try: [
        ['module_root', 'build', build, 'bindings'],
        ['module_root', 'prebuilds', `${process.platform}-${process.arch}.node`],
      ],
    });
    loaded.setUp(resolvedRow, nativeError);
    addon = loaded;
    return loaded;
  } catch (cause) {
    throw new VdpaError(
      'ADDON_MISSING',
      `the native addon could not be loaded for ${process.platform}-${process.arch}: ` +
        `run "npm run build" in ${packageRoot} (${cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)})`,
      { cause },
    );
  }
}

/** Nothing else: the value becomes part of the path of code that is run. */
function buildFolder(): 'Debug' | 'Release' {
  return process.env['VDPA_HOST_ADDON_BUILD'] === 'Debug' ? 'Debug' : 'Release';
}

/**
 * The program that makes one change of the host in a process of its own (native/helper).
 *
 * @throws {VdpaError} `ADDON_MISSING` when it is not there
 */
export function helperProgram(): string {
  return programOf('helper');
}

/**
 * The program that speaks with libvirt in a process of its own (native/libvirt).
 *
 * @throws {VdpaError} `ADDON_MISSING` when it is not there
 */
export function libvirtProgram(): string {
  return programOf('libvirt');
}

function programOf(name: 'helper' | 'libvirt'): string {
  const places = [
    join(packageRoot, 'build', buildFolder(), `vdpa_host_${name}`),
    join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}.${name}`),
  ];
  const program = places.find((path) => existsSync(path));
  if (program !== undefined) return program;
  throw new VdpaError(
    'ADDON_MISSING',
    `the ${name} program is not there for ${process.platform}-${process.arch}: run "npm run build" in ${packageRoot}`,
  );
}

/**
 * Opens the host below `root`, "/" for the machine itself.
 *
 * @throws {VdpaError} `ADDON_MISSING`, `ROOT_INVALID`
 */
export function openNativeHost(root: string): NativeHost {
  const { Host } = loadAddon();
  try {
    return new NativeHost(new Host(root));
  } catch (cause) {
    if (!(cause instanceof VdpaError)) throw cause;
    throw new VdpaError(
      'ROOT_INVALID',
      `${root} cannot be read as a host's root: ${cause.message}`,
      {
        cause,
        errno: cause.errno,
      },
    );
  }
}

/**
 * Subscribes to device events of vDPA, PCI, auxiliary devices, modules and the interfaces of PCI
 * functions. What happens from now on is told, in order and in bounded portions.
 *
 * @param receiveBufferBytes how much the kernel may queue; without CAP_NET_ADMIN it is capped
 * @param listener `lost`: the kernel had to drop events, so anything may have changed
 * @throws {VdpaError} `ADDON_MISSING`, `RESOURCE_EXHAUSTED`, `PERMISSION_DENIED`
 */
export function openUeventMonitor(
  receiveBufferBytes: number,
  listener: (events: readonly UeventRow[], lost: boolean) => void,
): UeventMonitor {
  const { UeventMonitor } = loadAddon();
  return new UeventMonitor(receiveBufferBytes, (packed, lost) => {
    listener(finish(ueventRows(new RowReader(packed))), lost);
  });
}

/** Who is at the other end of a unix socket. */
export interface PeerCredentials {
  /** 0: of a PID namespace that this process does not see. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * What the kernel noted of a unix stream's peer when it connected, or when it began to listen.
 *
 * @param fd of the stream
 * @throws {VdpaError} `ADDON_MISSING`, `KERNEL_REFUSED` when there is no peer to be known
 */
export function peerCredentials(fd: number): PeerCredentials {
  const [pid, uid, gid] = loadAddon().peerCredentials(fd);
  return { pid, uid, gid };
}

/**
 * Sends assignments such as `READY=1`, one a line, to a supervisor's datagram socket, which Node
 * has none of. Waits at most a quarter of a second.
 *
 * @param socket as NOTIFY_SOCKET has it: an absolute path, or `@` and an abstract name
 * @throws {VdpaError} `ADDON_MISSING`, `RESOURCE_EXHAUSTED` when its queue is full, `KERNEL_REFUSED`,
 *   `PERMISSION_DENIED`
 */
export function notifySupervisor(socket: string, message: string): void {
  loadAddon().notifySupervisor(socket, message);
}

/** A char device's node and the number that it must have. */
export interface NumberedNode {
  /** Absolute. */
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

/**
 * Opens a char device of vhost_vdpa, which resets its device, and sends it over a unix stream with a
 * line that speaks of it; this process keeps nothing open. Meanwhile nothing else may be written to the
 * stream, which may be closed at any time.
 *
 * @param fd of the stream
 * @param timeoutMs for sending, once the device is open; opening has no limit but the driver's own
 * @throws {VdpaError} `ADDON_MISSING`, `DEVICE_NOT_FOUND`, `PERMISSION_DENIED`, `KERNEL_REFUSED` with
 *   errno EBUSY when somebody has it open, EBADFD when the node has another number, EPIPE when the
 *   other end is closed; after one of `sendmsg` the stream is not to be used again
 */
export async function passCharDevice(
  fd: number,
  line: string,
  { path, major, minor }: NumberedNode,
  timeoutMs: number,
): Promise<void> {
  await loadAddon().passCharDevice(fd, line, relative(path), major, minor, timeoutMs);
}

/**
 * Opens a char device and closes it again: rejects when that cannot be done. Resets its device, so it
 * is for one that is nobody else's.
 *
 * @throws {VdpaError} as `passCharDevice` for what concerns the device
 */
export async function tryCharDevice({ path, major, minor }: NumberedNode): Promise<void> {
  await loadAddon().tryCharDevice(relative(path), major, minor);
}

/** As the core names what lies below a root. */
function relative(path: string): string {
  return path.replace(/^\/+/, '');
}

/** RLIMIT_MEMLOCK in bytes; Infinity where there is no limit. */
export interface MemoryLock {
  readonly soft: number;
  readonly hard: number;
}

/**
 * Sets how much memory a process may lock.
 *
 * @returns the limit that was replaced
 * @throws {VdpaError} `ADDON_MISSING`, `PERMISSION_DENIED` without CAP_SYS_RESOURCE for another user's
 *   process and to raise a hard limit, `KERNEL_REFUSED` when there is no such process
 */
export function setMemoryLock(pid: number, { soft, hard }: MemoryLock): MemoryLock {
  const [softBefore, hardBefore] = loadAddon().setMemoryLock(pid, soft, hard);
  return { soft: softBefore, hard: hardBefore };
}
