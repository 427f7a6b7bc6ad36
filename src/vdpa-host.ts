import { VdpaError } from './errors.js';
import type { Capture, CaptureOptions } from './host/capture-host.js';
import type { CallOptions, Connection } from './host/connection.js';
import type { DeviceConfig } from './host/device-config.js';
import { isVdpaName } from './host/device-id.js';
import { defaultHostOptions, type VdpaHostOptions } from './host/host-options.js';
import type { Inventory } from './host/inventory.js';
import { isPciAddress } from './host/pci-address.js';
import type { Finding } from './host/preflight.js';
import type { ResolvedCharDevice, Resolver } from './host/resolver.js';
import type { TemporaryFolder } from './host/temporary-folder.js';
import type { VendorStats } from './host/vendor-stats.js';
import type { HostWatch } from './host/watch.js';
import { defaultWatchOptions, type WatchOptions } from './host/watch-options.js';
import type { NativeHost } from './native.js';

/** Loaded when a host is opened: importing the library costs next to nothing. */
type Reading = typeof import('./host/reading.js');

/** virtio numbers its queues with 16 bits. */
const maxQueueIndex = 0xffff;

function assertVdpaName(name: unknown): void {
  if (isVdpaName(name)) return;
  throw new TypeError(`${JSON.stringify(name)} is no name of a vDPA device`);
}

/**
 * One Linux compute host, as its kernel sees it.
 *
 * @example
 * await using host = await VdpaHost.open();
 * const { devices } = await host.inventory();
 */
export class VdpaHost implements AsyncDisposable {
  readonly #reading: Reading;
  readonly #connection: Connection;
  readonly #resolver: Resolver;
  /** Those that are open or being opened. */
  readonly #watches = new Set<HostWatch>();
  /** Where a capture has been unpacked. */
  readonly #unpacked: TemporaryFolder | null;

  private constructor(
    reading: Reading,
    connection: Connection,
    unpacked: TemporaryFolder | null = null,
  ) {
    this.#reading = reading;
    this.#connection = connection;
    this.#resolver = new reading.Resolver(connection);
    this.#unpacked = unpacked;
  }

  /**
   * Opens the host. Needs no privilege; asks the kernel nothing yet.
   *
   * @throws {TypeError} an option that does not exist or has the wrong form, by name
   * @throws {VdpaError} `ADDON_MISSING`, `ROOT_INVALID`, `CAPTURE_INVALID`, `CAPTURE_TOO_NEW`,
   *   `RESOURCE_EXHAUSTED` (no room to unpack a capture)
   */
  static async open(options: VdpaHostOptions = {}): Promise<VdpaHost> {
    const { root, timeoutMs } = isEmpty(options)
      ? defaultHostOptions
      : (await import('./host/parse-options.js')).parseHostOptions(options);
    const reading = await import('./host/reading.js');
    if (root === '/') return new VdpaHost(reading, new reading.Connection(root, timeoutMs));
    const { unpackIfFile } = await import('./host/captured-root.js');
    const unpacked = await unpackIfFile(root);
    try {
      const connection = new reading.Connection(unpacked?.path ?? root, timeoutMs);
      return new VdpaHost(reading, connection, unpacked);
    } catch (error) {
      await unpacked?.remove();
      throw error;
    }
  }

  /**
   * Reads all of the host: PFs, VFs, other functions that carry vDPA, management devices, devices.
   * A host without vDPA has an empty inventory whose `abi` is null; `preflight` says why.
   *
   * @throws {VdpaError} `KERNEL_TIMEOUT`, `KERNEL_OVERRUN`, `KERNEL_MALFORMED`, `CLOSED`
   */
  async inventory(options?: CallOptions): Promise<Inventory> {
    const { inTurns, inventoryOf } = this.#reading;
    return await this.#connection.call(
      'inventory',
      async (native, ms) => await inTurns(inventoryOf(await this.#connection.snapshot(native, ms))),
      options,
    );
  }

  /**
   * Asks one device's configuration: MAC, MTU, queue pairs, link, negotiated features. It may wait
   * for a guest that is changing the device's state, which is why no inventory includes it.
   *
   * @throws {TypeError} when no device can have that name
   * @throws {VdpaError} `VDPA_MODULE_MISSING`, `DEVICE_NOT_FOUND`, `KERNEL_TIMEOUT`,
   *   `NOT_SUPPORTED` (neither net nor block)
   */
  async deviceConfig(name: string, options?: CallOptions): Promise<DeviceConfig> {
    assertVdpaName(name);
    return this.#reading.deviceConfig(
      await this.#ask(
        `configuration of ${name}`,
        (native, ms) => native.deviceConfig(name, ms),
        options,
      ),
    );
  }

  /**
   * Asks the driver's counters of one virtqueue. Needs CAP_NET_ADMIN, and a guest that uses it.
   *
   * @param queueIndex virtqueue number, from 0
   * @throws {VdpaError} `PERMISSION_DENIED`, `DEVICE_NOT_FOUND`, `FEATURES_NOT_NEGOTIATED`,
   *   `NOT_SUPPORTED`, `KERNEL_REFUSED` (no such queue)
   */
  async vendorStats(name: string, queueIndex: number, options?: CallOptions): Promise<VendorStats> {
    assertVdpaName(name);
    if (!Number.isInteger(queueIndex) || queueIndex < 0 || queueIndex > maxQueueIndex) {
      throw new TypeError(`${queueIndex} is no virtqueue number: expected 0 to ${maxQueueIndex}`);
    }
    return this.#reading.vendorStats(
      await this.#ask(
        `vendor statistics of ${name}`,
        (native, ms) => native.vendorStats(name, queueIndex, ms),
        options,
      ),
    );
  }

  /**
   * The char device of a device as of now, verified against sysfs and the node itself. Two system
   * calls when the answer is the same as last time, at any number of devices; never opens the node.
   *
   * @throws {TypeError} when the id has no valid form
   * @throws {VdpaError} `DEVICE_NOT_FOUND`, `DEVICE_AMBIGUOUS`, `DEVICE_NOT_BOUND`,
   *   `CHAR_DEVICE_MISSING`, `CHAR_DEVICE_MISMATCH`, `CLOSED`
   */
  resolve(deviceId: string): ResolvedCharDevice {
    return this.#resolver.resolve(deviceId);
  }

  /**
   * The driver that a PCI function is reserved for (driverctl writes it); null when none is. Asked
   * for one function at a time and in no inventory: the kernel takes the function's device lock for
   * it, and would hold up everything while one driver is busy.
   *
   * @throws {TypeError} when it is no PCI address
   * @throws {VdpaError} `DEVICE_NOT_FOUND`, `KERNEL_TIMEOUT`, `CLOSED`
   */
  async driverOverride(address: string, options?: CallOptions): Promise<string | null> {
    if (!isPciAddress(address)) {
      throw new TypeError(`${JSON.stringify(address)} is no PCI address: expected 0000:65:00.2`);
    }
    return await this.#connection.call(
      `driver_override of ${address}`,
      (native, ms) => native.driverOverride(address, ms),
      options,
    );
  }

  /**
   * Follows the host: an inventory that stays right, and an event for each change. Linux tells of
   * changes in every network namespace; what the `vdpa` family knows shows in the initial one only.
   *
   * @throws {TypeError} an option that does not exist or has the wrong form, by name
   * @throws {VdpaError} as `inventory`; `RESOURCE_EXHAUSTED`; `NOT_SUPPORTED` for a captured host,
   *   which never changes
   *
   * @example
   * await using watch = await host.watch();
   * for await (const event of watch) if (event.type === 'ready') use(event.device);
   */
  async watch(options: WatchOptions = {}): Promise<HostWatch> {
    const checked = isEmpty(options)
      ? defaultWatchOptions
      : (await import('./host/parse-options.js')).parseWatchOptions(options);
    if (!this.#connection.live) {
      throw new VdpaError('NOT_SUPPORTED', 'a captured host does not change: watch the live one', {
        retry: 'never',
      });
    }
    const { HostWatch } = await import('./host/watch.js');
    this.#connection.assertOpen();
    return await HostWatch.open(this.#connection.timeoutMs, checked, this.#watches);
  }

  /** Checks that this machine can do what the library is for; each finding has its cure. */
  async preflight(options?: CallOptions): Promise<readonly Finding[]> {
    return await this.#reading.preflight(this.#connection, options);
  }

  /**
   * Writes down, as one .tar.gz, all that the calls above read of this host. `VdpaHost.open` with
   * this file as its `root` answers them again as this host does now, on any machine. It takes time,
   * since every device and PCI function is asked. The file has mode 0600, and is there whole or not
   * at all.
   *
   * What is in it, and what is not: docs/captures.md. MAC addresses are.
   *
   * @throws {VdpaError} `CAPTURE_EXISTS`, `CAPTURE_NOT_WRITTEN`, `CLOSED`, and what `inventory` throws
   */
  async capture(file: string, options: CaptureOptions = {}): Promise<Capture> {
    const { captureHost } = await import('./host/capture-host.js');
    return await this.#connection.beside(() =>
      captureHost(
        () => {
          const connection = this.#connection.recording();
          return { connection, host: new VdpaHost(this.#reading, connection) };
        },
        file,
        options,
      ),
    );
  }

  /**
   * Lets go of everything, after the call in progress. Calls that follow reject with `CLOSED`.
   * Idempotent.
   */
  async close(): Promise<void> {
    await Promise.all([...this.#watches].map((watch) => watch.close()));
    await this.#connection.close();
    await this.#unpacked?.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Looks for the bus first: each question to a family that is not there starts a modprobe. */
  async #ask<T>(
    step: string,
    start: (native: NativeHost, timeoutMs: number) => Promise<T>,
    options: CallOptions | undefined,
  ): Promise<T> {
    return await this.#connection.call(
      step,
      async (native, ms) => {
        if (native.exists('sys/bus/vdpa')) return await start(native, ms);
        throw new VdpaError(
          'VDPA_MODULE_MISSING',
          `${step}: the kernel has no vdpa bus: load the module (modprobe vdpa)`,
          { step },
        );
      },
      options,
    );
  }
}

/** What else people pass, numbers and lists and functions, is the parser's to refuse. */
function isEmpty(options: object): boolean {
  return (
    Object.prototype.toString.call(options) === '[object Object]' &&
    Object.keys(options).length === 0
  );
}
