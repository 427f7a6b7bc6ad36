import type { VendorStatsRow } from '../rows.js';
import type { VdpaName } from './device-id.js';

/** A driver's own counters of one virtqueue (DEV_VSTATS_GET). */
export interface VendorStats {
  readonly name: VdpaName;
  readonly queueIndex: number;
  readonly negotiatedFeatures: bigint | null;
  /** In the driver's order and by its names: mlx5 counts received_desc and completed_desc. */
  readonly counters: readonly VendorCounter[];
}

export interface VendorCounter {
  readonly name: string;
  readonly value: bigint;
}

export function vendorStats(row: VendorStatsRow): VendorStats {
  return {
    name: row.name as VdpaName,
    queueIndex: row.queueIndex,
    negotiatedFeatures: row.negotiatedFeatures,
    counters: row.counters,
  };
}
