export type { GuestCallOptions, GuestDriver, GuestVersions } from './guest-driver.js';
export type { GuestEvent } from './guest-event.js';
export {
  type GuestInterface,
  type InterfaceSelection,
  selectInterfaces,
  type WantedInterface,
} from './guest-interface.js';
export {
  type InterfaceName,
  interfaceName,
  isInterfaceName,
  type NamedInterface,
  namedInterface,
} from './interface-name.js';
export { LibvirtDriver, type LibvirtDriverOptions } from './libvirt-driver.js';
export {
  type NetworkBackend,
  type NetworkCallOptions,
  type NetworkContext,
  noNetworkBackend,
} from './network-backend.js';
export { QmpDriver, type QmpDriverOptions } from './qmp-driver.js';
