import type { VendorStatsRow } from '../rows.js';

/** A driver's own counters of one virtqueue (DEV_VSTATS_GET). */
export interface VendorStats {
  readonly name: string;
  readonly queueIndex: number;
  readonly negotiatedFeatures: bigint | null;
  /** By the driver's name for each, in its order: mlx5 counts received_desc and completed_desc. */
  readonly counters: Readonly<Record<string, bigint>>;
}

export function vendorStats(row: VendorStatsRow): VendorStats {
  const counters: [string, bigint][] = [];
  for (let i = 0; i + 1 < row.counters.length; i += 2) {
    const [name, value] = [row.counters[i], row.counters[i + 1]];
    if (typeof name === 'string' && typeof value === 'bigint') counters.push([name, value]);
  }
  return {
    name: row.name,
    queueIndex: row.queueIndex,
    negotiatedFeatures: row.negotiatedFeatures,
    counters: Object.fromEntries(counters),
  };
}
