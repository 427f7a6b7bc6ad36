import { VdpaError } from '../errors.js';
import type { NativeHost } from '../native.js';
import type { BoundDevice } from './bind-driver.js';
import type { Capture, CaptureOptions } from './capture-host.js';
import type { CallOptions, ChangeOptions, Connection } from './connection.js';
import type { DeviceConfig } from './device-config.js';
import type { DeviceHealth } from './device-health.js';
import { assertVdpaName } from './device-id.js';
import type { EnableVfsOptions } from './enable-vfs.js';
import type { Finding } from './finding.js';
import { defaultHostOptions, type HostOptions } from './host-options.js';
import type { Inventory } from './inventory.js';
import type { CreateRequest } from './parse-create-request.js';
import { assertPciAddress } from './pci-address.js';
import type { VirtualFunction } from './pci-function.js';
import type { ProvisionOptions } from './provision.js';
import type { ProvisionDeclaration } from './provision-declaration.js';
import type { ProvisionReport } from './provision-report.js';
import type { ResolvedCharDevice, Resolver } from './resolver.js';
import type { TemporaryFolder } from './temporary-folder.js';
import type { VendorStats } from './vendor-stats.js';
import type { HostWatch } from './watch.js';
import { defaultWatchOptions, type WatchOptions } from './watch-options.js';

/** Loaded when a host is opened: importing the library costs next to nothing. */
type Reading = typeof import('./reading.js');
/** Loaded at the first change. */
type Changing = typeof import('./changing.js');

/** What a host is made of. */
export interface OpenedHost {
  readonly reading: Reading;
  readonly connection: Connection;
  /** Where a capture has been unpacked. */
  readonly unpacked: TemporaryFolder | null;
}

/** Of the changes that may take a device from a user. */
export interface ForceOptions extends ChangeOptions {
  /**
   * Take the device also from virtio_vdpa, where it is a network interface or disk of the host
   * itself. One whose char device is open is never taken. Default false.
   */
  readonly force?: boolean | undefined;
}

/** @throws as `KernelHost.open` */
export async function openHost(options: HostOptions): Promise<OpenedHost> {
  const { root, timeoutMs } = isEmpty(options)
    ? defaultHostOptions
    : (await import('./parse-options.js')).parseHostOptions(options);
  const reading = await import('./reading.js');
  if (root === '/') {
    return { reading, connection: new reading.Connection(root, timeoutMs), unpacked: null };
  }
  const { unpackIfFile } = await import('./captured-root.js');
  const unpacked = await unpackIfFile(root);
  try {
    const connection = new reading.Connection(unpacked?.path ?? root, timeoutMs);
    return { reading, connection, unpacked };
  } catch (error) {
    await unpacked?.remove();
    throw error;
  }
}

/** virtio numbers its queues with 16 bits. */
const maxQueueIndex = 0xffff;

/** One Linux compute host, as its kernel sees it: read, followed and changed. */
export class KernelHost implements AsyncDisposable {
  readonly #reading: Reading;
  readonly #connection: Connection;
  readonly #resolver: Resolver;
  /** Those that are open or being opened. */
  readonly #watches = new Set<HostWatch>();
  /** Where a capture has been unpacked. */
  readonly #unpacked: TemporaryFolder | null;
  readonly #changes = new Set<Promise<unknown>>();

  protected constructor({ reading, connection, unpacked }: OpenedHost) {
    this.#reading = reading;
    this.#connection = connection;
    this.#resolver = new reading.Resolver(connection);
    this.#unpacked = unpacked;
  }

  /**
   * Opens the host. Needs no privilege; asks the kernel nothing yet.
   *
   * @internal use `VdpaHost.open`
   * @throws {TypeError} an option that does not exist or has the wrong form, by name
   * @throws {VdpaError} `ADDON_MISSING`, `ROOT_INVALID`, `CAPTURE_INVALID`, `CAPTURE_TOO_NEW`,
   *   `RESOURCE_EXHAUSTED` (no room to unpack a capture)
   */
  static async open(options: HostOptions = {}): Promise<KernelHost> {
    return new KernelHost(await openHost(options));
  }

  /**
   * Reads all of the host: PFs, VFs, other functions that carry vDPA, management devices, devices.
   * A host without vDPA has an empty inventory whose `abi` is null; `preflight` says why.
   *
   * @throws {VdpaError} `KERNEL_TIMEOUT`, `KERNEL_OVERRUN`, `KERNEL_MALFORMED`, `CLOSED`
   */
  async inventory(options?: CallOptions): Promise<Inventory> {
    return await this.#connection.call(
      'inventory',
      (native, ms) => this.#connection.inventory(native, ms),
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
   * As `vendorStats`, of every virtqueue that the driver counts, in order of their numbers.
   *
   * @throws {TypeError} when no device can have that name
   * @throws {VdpaError} as `vendorStats`
   */
  async queueStats(name: string, options?: CallOptions): Promise<readonly VendorStats[]> {
    assertVdpaName(name);
    const { vdpaDevices } = await this.#ask(
      `virtqueues of ${name}`,
      (native, ms) => native.namedDevices([name], ms),
      options,
    );
    // Of one that is not there, the first question says so.
    return await this.#reading.queueStats(vdpaDevices[0]?.maxVqs ?? 1, (queueIndex) =>
      this.vendorStats(name, queueIndex, options),
    );
  }

  /**
   * How each device fares: driver, node, link. Asks the link of one network device after the other
   * (DEV_CONFIG_GET), which waits for a guest that is changing its device's state, and all vDPA
   * commands of the host with it: not for a hot path. In order of the inventory.
   *
   * @throws {VdpaError} as `inventory`; a device that does not answer has the link `no-answer`
   */
  async health(options?: CallOptions): Promise<readonly DeviceHealth[]> {
    const { deviceHealth, readLinks } = this.#reading;
    const { devices } = await this.inventory(options);
    const health: DeviceHealth[] = [];
    await readLinks(
      this.#connection,
      devices,
      (device, link) => health.push(deviceHealth(device, link)),
      options,
    );
    return health;
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
    assertPciAddress(address);
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
      : (await import('./parse-options.js')).parseWatchOptions(options);
    if (!this.#connection.live) {
      throw new VdpaError('NOT_SUPPORTED', 'a captured host does not change: watch the live one', {
        retry: 'never',
      });
    }
    const { HostWatch } = await import('./watch.js');
    this.#connection.assertOpen();
    return await HostWatch.open(this.#connection.timeoutMs, checked, this.#watches);
  }

  /**
   * Checks that this machine can do what the library is for; each finding has its cure. Changes
   * nothing and opens no node. On the live machine it runs QEMU and libvirt with `--version`, for
   * 10 s at most.
   */
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
    const { captureHost } = await import('./capture-host.js');
    return await this.#connection.beside(() =>
      captureHost(
        () => {
          const connection = this.#connection.recording();
          return {
            connection,
            host: new KernelHost({ reading: this.#reading, connection, unpacked: null }),
          };
        },
        file,
        options,
      ),
    );
  }

  /**
   * Makes a vDPA device and answers when it can be used: the kernel has acknowledged it, it is bound
   * to vhost_vdpa, and its node is there. When it fails after the kernel has made it, or is aborted,
   * it deletes it again before it rejects. What the management device cannot do is refused before
   * the kernel is asked.
   *
   * @throws {TypeError} a key of the request that does not exist or has the wrong form, by name
   * @throws {VdpaError} `DEVICE_NOT_FOUND` (no such management device), `NOT_SUPPORTED`,
   *   `DEVICE_EXISTS`, `DRIVER_MISSING`, `PERMISSION_DENIED`, `KERNEL_REFUSED`, `KERNEL_TIMEOUT`,
   *   `CHAR_DEVICE_MISSING`, `CHAR_DEVICE_MISMATCH`, `HOST_CAPTURED`; `outcome` says what is left
   */
  async createDevice(request: CreateRequest, options?: ChangeOptions): Promise<ResolvedCharDevice> {
    return await this.#change('create a device', (changing) =>
      changing.createDevice(
        this.#connection,
        this.#resolver,
        changing.parseCreateRequest(request),
        options,
      ),
    );
  }

  /**
   * Deletes a vDPA device that nobody uses. Never waits for a user, and never makes the kernel do
   * so: while its char device is open it is `DEVICE_BUSY` at once. An abort rejects, and what has
   * begun runs its course.
   *
   * @throws {TypeError} when no device can have that name
   * @throws {VdpaError} `DEVICE_BUSY`, `DEVICE_IN_HOST_USE` (unless forced), `DEVICE_NOT_FOUND`,
   *   `DEVICE_CHANGED`, `NOT_SUPPORTED` (made by its driver), `CHAR_DEVICE_MISSING`,
   *   `CHAR_DEVICE_MISMATCH`, `PERMISSION_DENIED`, `KERNEL_TIMEOUT`, `CHANGE_INTERRUPTED`,
   *   `HOST_CAPTURED`
   */
  async deleteDevice(name: string, options: ForceOptions = {}): Promise<void> {
    assertVdpaName(name);
    const { force = false } = options;
    await this.#change(`delete ${name}`, (changing) =>
      changing.deleteDevice(this.#connection, name, force, options),
    );
  }

  /**
   * Gives a network device another MAC (Linux 6.12). A guest that uses it sees the change only when
   * its driver reads the configuration again.
   *
   * @throws {TypeError} when no device can have that name or address
   * @throws {VdpaError} `DEVICE_NOT_FOUND`, `NOT_SUPPORTED`, `PERMISSION_DENIED`, `KERNEL_TIMEOUT`,
   *   `HOST_CAPTURED`
   */
  async setMac(name: string, mac: string, options?: ChangeOptions): Promise<void> {
    assertVdpaName(name);
    await this.#change(`MAC of ${name}`, (changing) =>
      changing.setMac(this.#connection, name, mac, options),
    );
  }

  /**
   * Binds a device to `vhost_vdpa`, to `virtio_vdpa`, or to none, after taking it from the driver it
   * has; refused like a delete while somebody uses it there. Nothing happens when it is bound so
   * already. When the new driver does not take it, the old one gets it back.
   *
   * @param driver null: to no driver
   * @throws {TypeError} when no device or driver can have that name
   * @throws {VdpaError} those of `deleteDevice`, `DRIVER_MISSING`, `DEVICE_RESERVED`
   */
  async bindDriver(
    name: string,
    driver: string | null,
    options: ForceOptions = {},
  ): Promise<BoundDevice> {
    assertVdpaName(name);
    const { force = false } = options;
    return await this.#change(`bind ${name}`, (changing) =>
      changing.bindDriver(this.#connection, name, driver, force, options),
    );
  }

  /**
   * Gives a PF this many VFs and answers with them, in order of address. Taking VFs away is refused
   * at once, before anything is touched, while the vDPA device of any of them is in use.
   *
   * @throws {TypeError} when it is no PCI address, or no number from 0 to 65535
   * @throws {VdpaError} `VFS_EXIST` (another number than 0, and not to be replaced), `DEVICE_CHANGED`
   *   (also: not the number it was to be changed `from`), `NOT_SUPPORTED` (no SR-IOV, or too many),
   *   `DEVICE_NOT_FOUND`, and those of `deleteDevice`
   */
  async enableVfs(
    pf: string,
    count: number,
    options: EnableVfsOptions = {},
  ): Promise<readonly VirtualFunction[]> {
    assertPciAddress(pf);
    return await this.#change(`VFs of ${pf}`, (changing) =>
      changing.enableVfs(this.#connection, pf, count, options),
    );
  }

  /**
   * Makes the host as declared: VFs, one device on each that is mentioned, their drivers, and the
   * owners of their nodes. Does only what is missing, so that it may be repeated, and finishes what
   * an earlier call could not. A device in use is left as it is, with all of its VF; what the
   * declaration does not mention is left alone. When a step fails, those that do not depend on it
   * are done all the same. With `check` nothing is changed.
   *
   * `timeoutMs` holds for each step. An abort rejects after the step under way.
   *
   * @throws {TypeError} every key that does not exist or has the wrong form, with its place
   * @throws {VdpaError} `PROVISION_INCOMPLETE` (`leftovers` has what is not as declared, and why),
   *   `DECLARATION_UNFIT`, `HOST_CAPTURED`, `VDPA_MODULE_MISSING`, those of `inventory`
   */
  async provision(
    declaration: ProvisionDeclaration,
    options: ProvisionOptions = {},
  ): Promise<ProvisionReport> {
    return await this.#change('provision', async (changing) => {
      const declared = changing.parseDeclaration(declaration);
      const { timeoutMs } = new changing.Change(this.#connection, options);
      return await changing.provision(this, declared, timeoutMs, options);
    });
  }

  /**
   * Lets go of everything, once the call and the changes under way have ended; a device that is
   * still being created is deleted again. Calls that follow reject with `CLOSED`. Idempotent.
   */
  async close(): Promise<void> {
    const watches = Promise.all([...this.#watches].map((watch) => watch.close()));
    const closed = this.#connection.close();
    await Promise.allSettled(this.#changes);
    await Promise.all([watches, closed]);
    await this.#unpacked?.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Where the host's files are. */
  get root(): string {
    return this.#connection.root;
  }

  /** Whether a change that was asked for here is under way. */
  get isChanging(): boolean {
    return this.#changes.size > 0;
  }

  /** Called whenever none is under way any more. */
  protected changesEnded(): void {}

  async #change<T>(what: string, work: (changing: Changing) => Promise<T>): Promise<T> {
    this.#connection.assertOpen();
    const changing = await import('./changing.js');
    changing.assertChangeable(this.#connection, what);
    const running = work(changing);
    this.#changes.add(running);
    try {
      return await running;
    } finally {
      this.#changes.delete(running);
      if (!this.isChanging) this.changesEnded();
    }
  }

  async #ask<T>(
    step: string,
    start: (native: NativeHost, timeoutMs: number) => Promise<T>,
    options: CallOptions | undefined,
  ): Promise<T> {
    return await this.#connection.call(
      step,
      (native, ms) => {
        this.#reading.assertVdpaBus(native, step);
        return start(native, ms);
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
