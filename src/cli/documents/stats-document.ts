import type { VendorStats } from '../../index.js';
import { type Document, hexOf, schemaVersion } from './document.js';

export interface StatsDocument extends Document<'stats'> {
  readonly name: string;
  readonly queues: readonly ReturnType<typeof queueJson>[];
}

export function statsDocument(name: string, queues: readonly VendorStats[]): StatsDocument {
  return { schemaVersion, kind: 'stats', name, queues: queues.map(queueJson) };
}

function queueJson({ queueIndex, negotiatedFeatures, counters }: VendorStats) {
  return {
    queueIndex,
    negotiatedFeatures: negotiatedFeatures === null ? null : hexOf(negotiatedFeatures),
    // Counts, so decimal; strings, since they have 64 bits.
    counters: counters.map(({ name, value }) => ({ name, value: value.toString() })),
  };
}
