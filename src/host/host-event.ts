import type { VdpaError } from '../errors.js';
import type { DeviceHealth } from './device-health.js';
import type { ManagementDevice } from './management-device.js';
import type { PciFunction, PhysicalFunction, VirtualFunction } from './pci-function.js';
import type { VdpaDevice } from './vdpa-device.js';

/** Why a consumer has to take the whole inventory anew. */
export type ResyncReason =
  /** The kernel had to drop events; what changed is told after this one, as far as it shows. */
  | 'events-lost'
  /** This consumer was too slow for its queue, and what waited in it was dropped. */
  | 'consumer-slow';

/** Names of the properties in which two states of a thing differ. */
type Changes<T> = readonly (keyof T & string)[];

/** What changed on a host; each event says all about the thing as it was read then. */
export type HostEvent =
  | { readonly type: 'added'; readonly device: VdpaDevice }
  /** `device` as it was last. */
  | { readonly type: 'removed'; readonly device: VdpaDevice }
  | {
      readonly type: 'changed';
      readonly device: VdpaDevice;
      readonly before: VdpaDevice;
      readonly changes: Changes<VdpaDevice>;
    }
  /** Bound to vhost_vdpa, acknowledged by the `vdpa` family, node present. */
  | { readonly type: 'ready'; readonly device: VdpaDevice }
  | { readonly type: 'unready'; readonly device: VdpaDevice }
  /**
   * With `healthMs`: how it fares now, if not as before. `before` is null for a device that was not
   * known; one that is healthy then is not told of.
   */
  | {
      readonly type: 'health';
      readonly device: VdpaDevice;
      readonly health: DeviceHealth;
      readonly before: DeviceHealth | null;
    }
  | { readonly type: 'pfAdded'; readonly pf: PhysicalFunction }
  | { readonly type: 'pfRemoved'; readonly pf: PhysicalFunction }
  | {
      readonly type: 'pfChanged';
      readonly pf: PhysicalFunction;
      readonly before: PhysicalFunction;
      readonly changes: Changes<PhysicalFunction>;
    }
  | { readonly type: 'vfAdded'; readonly vf: VirtualFunction }
  | { readonly type: 'vfRemoved'; readonly vf: VirtualFunction }
  | {
      readonly type: 'vfChanged';
      readonly vf: VirtualFunction;
      readonly before: VirtualFunction;
      readonly changes: Changes<VirtualFunction>;
    }
  /** A function that is neither PF nor VF here came, went or changed. */
  | {
      readonly type: 'otherFunction';
      readonly function: PciFunction | null;
      readonly before: PciFunction | null;
    }
  /** A management device came, went or changed; null where it is not. */
  | {
      readonly type: 'managementDevice';
      readonly managementDevice: ManagementDevice | null;
      readonly before: ManagementDevice | null;
    }
  | { readonly type: 'resync'; readonly reason: ResyncReason }
  /**
   * The host could not be read: what is known may be out of date until a later attempt, which is
   * made by itself, tells what changed.
   */
  | { readonly type: 'stale'; readonly error: VdpaError };

export type HostEventType = HostEvent['type'];
export type HostEventOf<Type extends HostEventType> = Extract<HostEvent, { type: Type }>;
