export { MemoryStore } from './memory-store.js';
export { SqliteStore } from './sqlite-store.js';
export { Tracker } from './tracker.js';
