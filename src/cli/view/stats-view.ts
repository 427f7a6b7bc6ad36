import type { VendorStats } from '../../index.js';
import { tableLines } from './rows.js';
import { cell, type Terminal } from './terminal.js';

/** One row per virtqueue, one column per counter, by the driver's names. */
export function statsLines(queues: readonly VendorStats[], terminal: Terminal): string[] {
  const names = [...new Set(queues.flatMap(({ counters }) => counters.map(({ name }) => name)))];
  return tableLines(
    [
      ['QUEUE', ...names.map((name) => name.toUpperCase())].map((word) => cell(word, 'strong')),
      ...queues.map(({ queueIndex, counters }) => [
        cell(`${queueIndex}`),
        ...names.map((wanted) =>
          cell(counters.find(({ name }) => name === wanted)?.value.toString() ?? '-'),
        ),
      ]),
    ],
    terminal,
  );
}
