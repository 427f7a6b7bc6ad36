import type { Command } from './command.js';

/** Loaded by name, so that a run pays for its own command only. In the order of the help. */
export const commandTable: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['list', async () => (await import('./commands/list.js')).command],
  ['tree', async () => (await import('./commands/tree.js')).command],
  ['show', async () => (await import('./commands/show.js')).command],
  ['watch', async () => (await import('./commands/watch.js')).command],
  ['doctor', async () => (await import('./commands/doctor.js')).command],
  ['capture', async () => (await import('./commands/capture.js')).command],
]);
