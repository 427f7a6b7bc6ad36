import { VdpaError } from '../errors.js';
import { EventQueues } from '../event-queues.js';
import type { Logger } from '../logger.js';
import type { NumberedNode } from '../native.js';
import type { InstanceId } from '../tracker/claim.js';
import { withinDeadline } from './call-deadline.js';
import { charDeviceReleased } from './char-device-release.js';
import type { DomainInterface } from './domain-xml.js';
import type { GuestCallOptions, GuestDriver, GuestVersions } from './guest-driver.js';
import type { GuestEvent } from './guest-event.js';
import type { GuestInterface, WantedInterface } from './guest-interface.js';
import { assertRecentEnough } from './guest-minimum.js';
import { type InterfaceName, isInterfaceName, namedInterface } from './interface-name.js';
import { nameInAlias } from './interface-xml.js';
import { LibvirtAttach } from './libvirt-attach.js';
import { LibvirtConnection } from './libvirt-connection.js';
import { type DomainView, LibvirtGuest } from './libvirt-guest.js';
import { openNode } from './libvirt-node.js';
import { type LibvirtEvent, LibvirtRefusal } from './libvirt-process.js';
import { libvirtError } from './libvirt-refusal.js';
import { takeOut } from './libvirt-unplug.js';
import { defaultLibvirtUri } from './libvirt-uri.js';
import { throughLosses, whileThere } from './losses.js';

export interface LibvirtDriverOptions {
  /** As libvirt's own tools take it; default `qemu:///system`. */
  readonly uri?: string | undefined;
  /** Libvirt's C library, as the dynamic loader looks for it; default `libvirt.so.0`. */
  readonly library?: string | undefined;
  readonly logger?: Logger | undefined;
}

/** Unless the caller has a deadline. */
const attachMs = 60_000;
const detachMs = 120_000;
const readMs = 30_000;

/**
 * Guests that are run by libvirt: by their UUIDs, which are nova's instance ids, or by the names of
 * their domains. What runs and what it starts with the next time are both changed; a guest that does
 * not run has only the latter.
 */
export class LibvirtDriver implements GuestDriver {
  readonly #connection: LibvirtConnection;
  readonly #logger: Logger | undefined;
  readonly #guests = new Map<InstanceId, LibvirtGuest>();
  readonly #queues = new EventQueues<GuestEvent>({
    type: 'resync',
    reason: 'consumer-slow',
  });
  #known: GuestVersions | null = null;
  #closing: Promise<void> | null = null;

  /** Does no I/O: libvirt is looked for at the first call. */
  constructor({
    uri = defaultLibvirtUri,
    library = 'libvirt.so.0',
    logger,
  }: LibvirtDriverOptions = {}) {
    this.#logger = logger;
    this.#connection = new LibvirtConnection(
      { uri, library },
      { event: (event) => this.#take(event), reconnected: () => this.#reconnected() },
    );
  }

  async attach(
    id: InstanceId,
    wanted: WantedInterface,
    options: GuestCallOptions = {},
  ): Promise<GuestInterface> {
    const guest = this.#guestOf(id);
    const attach = new LibvirtAttach(guest, wanted, this.#logger);
    return await withinDeadline(attachMs, options, async (signal, deadline) => {
      assertRecentEnough(await this.#versions(signal));
      return await guest.exclusively(signal, async () => {
        const view = await attach.run({ signal: options.signal, deadline });
        const made = interfacesOf(view).find(({ name }) => name === wanted.name);
        if (made === undefined) throw new Error('unreachable');
        return made;
      });
    });
  }

  async detach(id: InstanceId, name: InterfaceName, options: GuestCallOptions = {}): Promise<void> {
    const guest = this.#guestOf(id);
    await withinDeadline(detachMs, options, async (signal) => {
      await guest.exclusively(signal, () => detachFrom(guest, name, signal));
    });
  }

  async interfaces(id: InstanceId, options: GuestCallOptions = {}): Promise<GuestInterface[]> {
    const guest = this.#guestOf(id);
    return await withinDeadline(readMs, options, async (signal) =>
      interfacesOf(await throughLosses(signal, () => guest.show(signal))),
    );
  }

  async guests(options: GuestCallOptions = {}): Promise<InstanceId[]> {
    this.#assertOpen();
    return await withinDeadline(readMs, options, async (signal) => {
      const uuids = await this.#ask(['list'], signal);
      return uuids.toSorted() as InstanceId[];
    });
  }

  async versions(id: InstanceId, options: GuestCallOptions = {}): Promise<GuestVersions> {
    const guest = this.#guestOf(id);
    return await withinDeadline(readMs, options, async (signal) => {
      await throughLosses(signal, () => guest.show(signal));
      return await this.#versions(signal);
    });
  }

  events(): AsyncIterableIterator<GuestEvent, undefined, undefined> {
    return this.#queues.open(this.#closing !== null);
  }

  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    await Promise.all([...this.#guests.values()].map((guest) => guest.idle()));
    await this.#connection.close();
    this.#queues.end();
  }

  #assertOpen(): void {
    if (this.#closing !== null) throw new VdpaError('CLOSED', 'the driver has been closed');
  }

  #guestOf(id: InstanceId): LibvirtGuest {
    this.#assertOpen();
    let guest = this.#guests.get(id);
    if (guest === undefined) {
      guest = new LibvirtGuest(id, this.#connection);
      this.#guests.set(id, guest);
    }
    return guest;
  }

  async #ask(words: readonly [string, ...string[]], signal: AbortSignal): Promise<string[]> {
    try {
      return await throughLosses(signal, () => this.#connection.ask(words, signal));
    } catch (error) {
      throw error instanceof LibvirtRefusal ? libvirtError(error) : error;
    }
  }

  /** Of the daemon as it runs: another has another connection. */
  async #versions(signal: AbortSignal): Promise<GuestVersions> {
    this.#known ??= await this.#askVersions(signal);
    return this.#known;
  }

  async #askVersions(signal: AbortSignal): Promise<GuestVersions> {
    const [type, hypervisor, daemon] = await this.#ask(['versions'], signal);
    if (type !== 'QEMU') {
      throw new VdpaError('NOT_SUPPORTED', `libvirt's ${type} has no vDPA: use a QEMU URI`, {
        retry: 'never',
      });
    }
    return { qemu: versionText(hypervisor), libvirt: versionText(daemon) };
  }

  #take(event: LibvirtEvent): void {
    const name = event.alias === null ? null : nameInAlias(event.alias);
    for (const guest of this.#guests.values()) {
      if (!guest.take(event)) continue;
      if (event.type === 'stopped') this.#tell({ type: 'guest-gone', guest: guest.id });
      else if (!isInterfaceName(name)) continue;
      else if (event.type === 'removed')
        this.#tell({ type: 'interface-gone', guest: guest.id, name });
      else if (event.type === 'kept') this.#tell({ type: 'unplug-refused', guest: guest.id, name });
    }
  }

  #reconnected(): void {
    this.#known = null;
    for (const guest of this.#guests.values()) guest.missed();
    this.#tell({ type: 'resync', reason: 'reconnected' });
  }

  #tell(event: GuestEvent): void {
    this.#queues.push(event);
  }
}

/** The guest lets go first; then others can have the char device; what it starts with goes last. */
async function detachFrom(
  guest: LibvirtGuest,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<void> {
  let node = null as NumberedNode | null;
  const isThere = await whileThere(signal, async () => {
    node ??= await openNode(await guest.show(signal), name);
    await takeOut(guest, name, node, signal);
  });
  if (!isThere && node !== null) await charDeviceReleased(node, signal); // QEMU may be ending still
}

function interfacesOf({ running, next }: DomainView): GuestInterface[] {
  const found = new Map<InterfaceName, GuestInterface>();
  const add = (one: DomainInterface, state: GuestInterface['state']): void => {
    const name = one.alias === null ? null : nameInAlias(one.alias);
    if (!isInterfaceName(name) || found.has(name)) return;
    const { claimId = null, deviceId = null } = namedInterface(name) ?? {};
    const { source: charDevice, mac, queuePairs, mtu } = one;
    found.set(name, { name, claimId, deviceId, charDevice, mac, queuePairs, mtu, state });
  };
  for (const one of running?.interfaces ?? []) add(one, 'attached');
  for (const one of next?.interfaces ?? []) add(one, running === null ? 'attached' : 'partial');
  return [...found.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** Libvirt's 9001002 is 9.1.2. */
function versionText(number: string | undefined): string {
  const value = Number(number);
  return [value / 1e6, (value / 1e3) % 1e3, value % 1e3].map(Math.floor).join('.');
}
