import { VdpaError } from '../../../../src/errors.js';
import type { GuestDriver } from '../../../../src/guest/guest-driver.js';
import type { GuestInterface, WantedInterface } from '../../../../src/guest/guest-interface.js';
import { type InterfaceName, namedInterface } from '../../../../src/guest/interface-name.js';
import type { NetworkBackend, NetworkContext } from '../../../../src/guest/network-backend.js';
import type { PortId } from '../../../../src/policy/device-request.js';
import type { InstanceId } from '../../../../src/tracker/claim.js';

/** Everything that was asked of the guests and the network, in order. */
export type Log = string[];

/** Fails the call of which the log has just got the line. */
export type Failing = (line: string) => Error | null;

const nothing: Failing = () => null;

/** Guests that have whatever they are given: what a hypervisor does is tested with a real one. */
export class MadeUpGuests
  implements Pick<GuestDriver, 'attach' | 'detach' | 'interfaces' | 'versions'>
{
  readonly #log: Log;
  readonly guests = new Map<InstanceId, Map<InterfaceName, GuestInterface>>();
  failing = nothing;
  versionsOf = { qemu: '10.0.2', libvirt: null as string | null };

  constructor(log: Log, ...guests: readonly InstanceId[]) {
    this.#log = log;
    for (const guest of guests) this.guests.set(guest, new Map());
  }

  async attach(guest: InstanceId, wanted: WantedInterface): Promise<GuestInterface> {
    const { name, deviceId, charDevice, mac, queuePairs, mtu } = wanted;
    const own: GuestInterface = {
      name,
      claimId: namedInterface(name)?.claimId ?? null,
      deviceId,
      charDevice: charDevice.path,
      mac,
      queuePairs,
      mtu,
      state: 'attached',
    };
    // Also when it fails it may have come so far.
    this.#of(guest).set(name, own);
    this.#note(`attach ${deviceId}`);
    return own;
  }

  async detach(guest: InstanceId, name: InterfaceName): Promise<void> {
    this.#note(`detach ${namedInterface(name)?.deviceId}`);
    this.guests.get(guest)?.delete(name);
  }

  async interfaces(guest: InstanceId): Promise<GuestInterface[]> {
    return [...this.#of(guest).values()];
  }

  async versions(guest: InstanceId) {
    this.#of(guest);
    return this.versionsOf;
  }

  #of(guest: InstanceId): Map<InterfaceName, GuestInterface> {
    const found = this.guests.get(guest);
    if (found === undefined) throw new VdpaError('GUEST_NOT_FOUND', `no guest ${guest}`);
    return found;
  }

  #note(line: string): void {
    this.#log.push(line);
    const failure = this.failing(line);
    if (failure !== null) throw failure;
  }
}

/** Notes what it is asked for, and what is plugged. */
export class RecordingNetwork implements NetworkBackend {
  readonly #log: Log;
  readonly plugged = new Map<PortId, NetworkContext>();
  failing = nothing;

  constructor(log: Log) {
    this.#log = log;
  }

  async plug(port: PortId, context: NetworkContext): Promise<void> {
    this.plugged.set(port, context);
    this.#note(`plug ${port}`);
  }

  async unplug(port: PortId): Promise<void> {
    this.#note(`unplug ${port}`);
    this.plugged.delete(port);
  }

  #note(line: string): void {
    this.#log.push(line);
    const failure = this.failing(line);
    if (failure !== null) throw failure;
  }
}
