import type { Command } from './command.js';

/** Loaded by name, so that a run pays for its own command only. In the order of the help. */
export const commandTable: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['list', async () => (await import('./commands/list.js')).command],
  ['tree', async () => (await import('./commands/tree.js')).command],
  ['show', async () => (await import('./commands/show.js')).command],
  ['stats', async () => (await import('./commands/stats.js')).command],
  ['watch', async () => (await import('./commands/watch.js')).command],
  ['create', async () => (await import('./commands/create.js')).command],
  ['delete', async () => (await import('./commands/delete.js')).command],
  ['set-mac', async () => (await import('./commands/set-mac.js')).command],
  ['bind', async () => (await import('./commands/bind.js')).command],
  ['vfs', async () => (await import('./commands/vfs.js')).command],
  ['provision', async () => (await import('./commands/provision.js')).command],
  ['doctor', async () => (await import('./commands/doctor.js')).command],
  ['pools', async () => (await import('./commands/pools.js')).command],
  ['claims', async () => (await import('./commands/claims.js')).command],
  ['claim', async () => (await import('./commands/claim.js')).command],
  ['release', async () => (await import('./commands/release.js')).command],
  ['attach', async () => (await import('./commands/attach.js')).command],
  ['detach', async () => (await import('./commands/detach.js')).command],
  ['guests', async () => (await import('./commands/guests.js')).command],
  ['audit', async () => (await import('./commands/audit.js')).command],
  ['heal', async () => (await import('./commands/heal.js')).command],
  ['agent', async () => (await import('./commands/agent.js')).command],
  ['store', async () => (await import('./commands/store.js')).command],
  ['capture', async () => (await import('./commands/capture.js')).command],
]);
