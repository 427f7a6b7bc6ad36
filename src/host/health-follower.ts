import { VdpaError } from '../errors.js';
import type { Connection } from './connection.js';
import { type DeviceHealth, deviceHealth, type LinkHealth, sameHealth } from './device-health.js';
import type { HostEvent } from './host-event.js';
import { readLinks } from './read-links.js';
import type { VdpaDevice } from './vdpa-device.js';

/**
 * The health of a followed host's devices: driver and node as its events tell them, the link by
 * asking each device now and then, since nothing tells when a link changes.
 */
export class HealthFollower {
  /** Of its own: what waits for a guest must hold up no reading of the host. */
  readonly #connection: Connection;
  readonly #everyMs: number;
  readonly #tell: (event: HostEvent) => void;
  readonly #closed = new AbortController();
  readonly #devices = new Map<string, VdpaDevice>();
  readonly #health = new Map<string, DeviceHealth>();
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, everyMs: number, tell: (event: HostEvent) => void) {
    this.#connection = connection;
    this.#everyMs = everyMs;
    this.#tell = tell;
  }

  /** Begins with the devices that there are: the first round is at once. */
  start(devices: readonly VdpaDevice[]): void {
    for (const device of devices) this.#devices.set(device.name, device);
    this.#next(0);
  }

  /** What was told of the host since. */
  see(event: HostEvent): void {
    if (event.type === 'removed') {
      this.#devices.delete(event.device.name);
      this.#health.delete(event.device.name);
    } else if (event.type === 'added' || event.type === 'changed') {
      const { device } = event;
      this.#devices.set(device.name, device);
      this.#update(device, this.#health.get(device.name)?.link ?? null);
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearTimeout(this.#timer);
    await this.#connection.close();
  }

  #next(milliseconds: number): void {
    if (this.#closed.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#round(), milliseconds).unref();
  }

  async #round(): Promise<void> {
    const { signal } = this.#closed;
    const update = (asked: VdpaDevice, link: LinkHealth | null): void => {
      // What has changed since it was asked is the next round's.
      if (this.#devices.get(asked.name) === asked) this.#update(asked, link);
    };
    try {
      await readLinks(this.#connection, [...this.#devices.values()], update, { signal });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof VdpaError)) throw error;
    }
    this.#next(this.#everyMs);
  }

  #update(device: VdpaDevice, link: LinkHealth | null): void {
    const before = this.#health.get(device.name) ?? null;
    const health = deviceHealth(device, link);
    this.#health.set(device.name, health);
    if (before === null ? health.healthy : sameHealth(before, health)) return;
    this.#tell({ type: 'health', device, health, before });
  }
}
