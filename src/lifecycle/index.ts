export type { BootRequest, PreparedBoot } from './operations/boot.js';
export {
  InstanceOperations,
  type OperationsOptions,
} from './operations/instance-operations.js';
export type { LiveMigration, PrepareOptions } from './operations/live-migration.js';
export type {
  MigrationOffer,
  OfferedInterface,
  PreparedMigration,
  PreparedPort,
} from './operations/migration-offer.js';
export type { OperatingHost, OperationOptions } from './operations/operating.js';
export { operationsVersion } from './operations/operation-version.js';
export type { PluggedInterface } from './operations/plugged-interface.js';
export type { Resize, ResizeRequest } from './operations/resize.js';
export type { ResumedOperation, ResumedState } from './operations/resumed-operation.js';
