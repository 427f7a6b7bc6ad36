import type { DeviceId } from '../host/device-id.js';
import type { PciAddress } from '../host/pci-address.js';
import type { PortId } from '../policy/device-request.js';

/** Where a port's device stands on the host. */
export interface NetworkContext {
  readonly deviceId: DeviceId;
  /** The physical function; null for a device of software. */
  readonly pf: PciAddress | null;
  /** Index of the VF below its PF; null for what is none. */
  readonly vfIndex: number | null;
  /** The PF's own interface, `enp17s0np0`; null when it has none. */
  readonly pfNetdev: string | null;
  /** The VF's port in the PF's switch, `enp17s0pf0vf3`; null outside of switchdev mode. */
  readonly representor: string | null;
  /** Lower case, colons; null: the device's own. */
  readonly mac: string | null;
  readonly mtu: number | null;
}

export interface NetworkCallOptions {
  /** The caller no longer waits. What is half done may be left so: `unplug` follows. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The control plane's part of an attach: with hardware-offloaded Open vSwitch, the VF's representor goes
 * into the bridge. `plug` comes before the guest gets the device, `unplug` after it has let go, or when
 * the attach is undone.
 *
 * Both are idempotent, and may be called again after a crash: to plug what is plugged and to unplug what
 * is not, or is half, is success.
 */
export interface NetworkBackend {
  plug(port: PortId, context: NetworkContext, options?: NetworkCallOptions): Promise<void>;
  unplug(port: PortId, context: NetworkContext, options?: NetworkCallOptions): Promise<void>;
}

/** Where the network needs nothing done. */
export const noNetworkBackend: NetworkBackend = {
  plug: async () => {},
  unplug: async () => {},
};
