import type { ClaimId, DeviceRequest, InstanceId, PortId } from 'vdpa-host';
import type { PreparedPort } from 'vdpa-host/lifecycle';
import type { Definition } from './definition.js';
import { bind } from './port-binding.js';
import { type PortDevice, portDevices } from './port-device.js';
import { steps } from './steps.js';
import type { Workplace } from './workplace.js';

/** Interfaces that a running guest is given, and gives up. The caller has the instance's turn. */
export class PortLife {
  readonly #at: Workplace;

  constructor(at: Workplace) {
    this.#at = at;
  }

  /** Repeated, it does nothing more. */
  async attach(
    { instance, numaCells }: Definition,
    request: DeviceRequest & { readonly portId: PortId },
  ): Promise<PreparedPort[]> {
    const { host, places, network, name, log } = this.#at;
    const port = request.portId;
    const isNew = this.#deviceOf(instance, port) === undefined;
    if (isNew) await host.claim({ instance, requests: [request], numaCells });
    const own = this.#deviceOf(instance, port);
    if (own === undefined) throw new Error(`port ${port} of ${instance} was claimed, and is not`);
    const profile = host.bindingProfile(own.device);
    const bindings = [{ port, host: name, profile, active: 'now' as const }];
    bind(this.#at, instance, bindings);
    const selection = { claim: own.claim, devices: [own.device] };
    try {
      await host.attach(selection, places.of(instance), { network, ...steps(log, instance) });
    } catch (error) {
      if (isNew) await this.#giveBack(own.claim);
      throw error;
    }
    return bindings;
  }

  /** Takes a port's interface from the guest and gives its device back. Repeated, it does nothing. */
  async detach({ instance }: Definition, port: PortId): Promise<void> {
    const { host, places, network, log } = this.#at;
    const own = this.#deviceOf(instance, port);
    if (own === undefined) return;
    const selection = { claim: own.claim, devices: [own.device] };
    await host.detach(selection, places.of(instance), { network, ...steps(log, instance) });
  }

  /** Gives back what was claimed for an attach that had not come to its end when the agent was killed. */
  async settle(instance: InstanceId): Promise<void> {
    const { tracker } = this.#at.host;
    if (tracker.operationOf(instance) !== null) return;
    for (const { id, migration } of tracker.claims(instance)) {
      if (migration === null) await this.#giveBack(id);
    }
  }

  /** Unless the guest has something of it, or it could not be undone. */
  async #giveBack(claim: ClaimId): Promise<void> {
    const { tracker } = this.#at.host;
    const now = tracker.claimOf(claim);
    if (now === null || now.status !== 'claimed' || now.guest !== null) return;
    const operation = tracker.operationOf(now.instance)?.kind;
    await tracker.release({ claim, fence: now.fence, operation });
  }

  #deviceOf(instance: InstanceId, port: PortId): PortDevice | undefined {
    return portDevices(this.#at.host.tracker.claims(instance)).find((one) => one.port === port);
  }
}
