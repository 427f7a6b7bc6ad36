export { type ErrorCode, errorCodes, type Outcome, type Retry, VdpaError } from './errors.js';
export type { GuestCallOptions, GuestDriver, GuestVersions } from './guest/guest-driver.js';
export type { GuestEvent } from './guest/guest-event.js';
export {
  type GuestInterface,
  type InterfaceSelection,
  selectInterfaces,
  type WantedInterface,
} from './guest/guest-interface.js';
export {
  type InterfaceName,
  interfaceName,
  isInterfaceName,
  type NamedInterface,
  namedInterface,
} from './guest/interface-name.js';
export {
  type NetworkBackend,
  type NetworkCallOptions,
  type NetworkContext,
  noNetworkBackend,
} from './guest/network-backend.js';
export type { BoundDevice } from './host/bind-driver.js';
export type { Capture, CaptureOptions } from './host/capture-host.js';
export type { CallOptions, ChangeOptions } from './host/connection.js';
export type { BlockConfig, DeviceConfig, NetConfig } from './host/device-config.js';
export type { DeviceHealth, DriverHealth, LinkHealth, NodeHealth } from './host/device-health.js';
export {
  type DeviceId,
  type DeviceIdParts,
  parseDeviceId,
  type VdpaName,
} from './host/device-id.js';
export type { EnableVfsOptions } from './host/enable-vfs.js';
export { type DeviceClass, featureNames } from './host/features.js';
export type { Finding, FindingCode, Severity } from './host/finding.js';
export type { HostCell } from './host/host-cells.js';
export type { HostEvent, HostEventOf, HostEventType, ResyncReason } from './host/host-event.js';
export type { HostOptions } from './host/host-options.js';
export type { Inventory, VdpaAbi } from './host/inventory.js';
export type { ForceOptions } from './host/kernel-host.js';
export type { ManagementDevice } from './host/management-device.js';
export type { Netdev } from './host/netdev.js';
export type { CreateRequest } from './host/parse-create-request.js';
export { isPciAddress, type PciAddress } from './host/pci-address.js';
export type { PciFunction, PhysicalFunction, VirtualFunction } from './host/pci-function.js';
export type { ProvisionOptions } from './host/provision.js';
export type {
  CountedMac,
  DeclaredDevices,
  DeclaredPf,
  GivenMacs,
  ProvisionDeclaration,
} from './host/provision-declaration.js';
export type {
  ProvisionedNode,
  ProvisionObstacle,
  ProvisionReport,
  ProvisionStep,
} from './host/provision-report.js';
export type { ResolvedCharDevice } from './host/resolver.js';
export type { UnusableReason } from './host/usability.js';
export type { CharDevice, VdpaDevice } from './host/vdpa-device.js';
export type { ParentKind, SoftwareParentKind, VdpaParent } from './host/vdpa-parent.js';
export type { VendorCounter, VendorStats } from './host/vendor-stats.js';
export type { HostWatch, WatchEvents } from './host/watch.js';
export type { WatchOptions } from './host/watch-options.js';
export type { AttachedClaim, AttachOptions } from './lifecycle/attach-claim.js';
export type { ClaimDesk } from './lifecycle/claim-desk.js';
export type { PlugSelection } from './lifecycle/claimed-interface.js';
export type { DetachOptions } from './lifecycle/detach-claim.js';
export type { GuestPlace } from './lifecycle/guest-place.js';
export type { HostFinding, HostFindingCode } from './lifecycle/host-audit.js';
export type { RecoveredClaim, RecoverOptions } from './lifecycle/recover-claims.js';
export type { UnclaimableDevice } from './lifecycle/tracked-host.js';
export type { TrackingOptions } from './lifecycle/tracking-options.js';
export type { Logger } from './logger.js';
export type { AddressField, AddressPattern } from './policy/address-pattern.js';
export type { BindingProfile } from './policy/binding-profile.js';
export type { DeviceRequest, PortId, RequestId, RequestSpec } from './policy/device-request.js';
export type { DeviceSpec, DeviceSpecOptions } from './policy/device-spec.js';
export type { DeviceSpecEntry, EnhancedExtra, Tags } from './policy/device-spec-entry.js';
export type { DeviceSpecError, DeviceSpecProblem } from './policy/device-spec-error.js';
export type { NumaPolicy } from './policy/numa-policy.js';
export type { PciAliases } from './policy/pci-aliases.js';
export type { PciFacts, PhysicalFunctionIds } from './policy/pci-facts.js';
export type { PoolKeys } from './policy/pool-keys.js';
export type {
  NeutronNetwork,
  NeutronPort,
  NeutronSegment,
  PortRequests,
  RequestOptions,
} from './policy/port-requests.js';
export type { DeviceType, ReportedDevice, ReportedVdpa } from './policy/reported-device.js';
export type {
  ClaimArguments,
  ClaimSelection,
  GivenInterface,
  HostReport,
  ReleaseSelection,
} from './tracker/arguments.js';
export type { TrackerFinding, TrackerFindingCode } from './tracker/audit.js';
export type {
  Claim,
  ClaimedDevice,
  ClaimId,
  InstanceId,
  InterfaceSettings,
  MigrationId,
} from './tracker/claim.js';
export type { DeviceRecord, DeviceStatus } from './tracker/device-record.js';
export type { Living, LivingMigration } from './tracker/orphans.js';
export type { PoolSummary } from './tracker/pool-summary.js';
export type { Store, StoreChange, StoreState } from './tracker/store.js';
export type { Tracker } from './tracker/tracker.js';
export type { TrackerEvent, TrackerEvents } from './tracker/tracker-event.js';
export { VdpaHost, type VdpaHostOptions } from './vdpa-host.js';
