export { bindingProfile, unboundProfileKeys } from './binding-profile.js';
export { DeviceSpec } from './device-spec.js';
export { DeviceSpecError } from './device-spec-error.js';
export { instanceNumaPolicy } from './numa-policy.js';
export { PciAliases } from './pci-aliases.js';
export { pciFactsOf } from './pci-facts.js';
export { portRequests } from './port-requests.js';
