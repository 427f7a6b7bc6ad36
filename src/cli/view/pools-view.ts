import type { PoolSummary } from '../../tracker/pool-summary.js';
import { tableLines } from './rows.js';
import { cell, type Terminal } from './terminal.js';

/** Shown in columns of their own. */
const ownColumns = new Set([
  'dev_type',
  'vendor_id',
  'product_id',
  'numa_node',
  'address',
  'physical_network',
]);

/** A row for each pool, in the order in which they are used. */
export function poolsLines(pools: readonly PoolSummary[], terminal: Terminal): string[] {
  if (pools.length === 0) return ['nothing is to be had'];
  const headings = ['TYPE', 'IDS', 'NUMA', 'PF', 'PHYSNET', 'FREE', 'TAGS'];
  return tableLines(
    [
      headings.map((word) => cell(word, 'strong')),
      ...pools.map(({ keys, devices }) => {
        const key = (name: string) => keys[name] ?? '-';
        const tags = Object.keys(keys).filter((name) => !ownColumns.has(name));
        return [
          cell(`${key('dev_type')}`),
          cell(`${key('vendor_id')}:${key('product_id')}`),
          cell(`${key('numa_node')}`),
          cell(`${key('address')}`),
          cell(`${key('physical_network')}`),
          cell(`${devices.length}`),
          cell(tags.map((name) => `${name}=${keys[name] ?? '(none)'}`).join(' ')),
        ];
      }),
    ],
    terminal,
  );
}
