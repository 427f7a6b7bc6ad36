import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VdpaError } from './errors.js';
import { nativeError } from './native-error.js';
import {
  type DeviceConfigRow,
  type ManagementDeviceRow,
  type ResolvedRow,
  type RowFactories,
  rowFactories,
  type SnapshotRow,
  type VdpaDeviceRow,
  type VendorStatsRow,
} from './rows.js';

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

/**
 * One open host: a thread of its own with a persistent netlink socket, and a directory handle on the
 * root it reads. Every promise rejects with a `VdpaError`. Calls queue in order.
 */
export interface NativeHost {
  snapshot(timeoutMs: number): Promise<SnapshotRow>;
  managementDevices(timeoutMs: number): Promise<ManagementDeviceRow[]>;
  vdpaDevices(timeoutMs: number): Promise<VdpaDeviceRow[]>;
  deviceConfig(name: string, timeoutMs: number): Promise<DeviceConfigRow>;
  vendorStats(name: string, queueIndex: number, timeoutMs: number): Promise<VendorStatsRow>;
  addDevice(request: NativeAddRequest, timeoutMs: number): Promise<void>;
  /**
   * The bare command: waits, with every vDPA command of the host, for whoever has the char device
   * open. For devices that are known to be unbound; `VdpaHost.deleteDevice` is the safe way.
   */
  deleteDevice(name: string, timeoutMs: number): Promise<void>;
  setMac(name: string, mac: string, timeoutMs: number): Promise<void>;
  /**
   * The driver that a PCI function is reserved for; null when none is. No part of a snapshot: the
   * kernel takes the function's device lock for it, which a busy driver may hold for long.
   */
  driverOverride(address: string, timeoutMs: number): Promise<string | null>;
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
  ): ResolvedRow;
  /** A small file below the root, trailing newline removed; null when it is not there. */
  readText(path: string): string | null;
  /** Whether the path exists below the root. */
  exists(path: string): boolean;
  /** Names in a directory below the root; null when it is not there. */
  list(path: string): string[] | null;
  /** Leaves the call in progress to its thread; the next call gets a new thread and socket. */
  abandon(): void;
  /** Resolves when the call in progress has ended and the root is let go. Idempotent. */
  close(): Promise<void>;
}

/** What native/addon/addon.cc exports. */
interface NativeAddon {
  setUp(rows: RowFactories, error: typeof nativeError): void;
  readonly Host: new (root: string) => NativeHost;
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
    loaded.setUp(rowFactories, nativeError);
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
  const places = [
    join(packageRoot, 'build', buildFolder(), 'vdpa_host_helper'),
    join(packageRoot, 'prebuilds', `${process.platform}-${process.arch}.helper`),
  ];
  const program = places.find((path) => existsSync(path));
  if (program !== undefined) return program;
  throw new VdpaError(
    'ADDON_MISSING',
    `the helper program is not there for ${process.platform}-${process.arch}: run "npm run build" in ${packageRoot}`,
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
    return new Host(root);
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
