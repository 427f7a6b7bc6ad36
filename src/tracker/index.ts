export { MemoryStore } from './memory-store.js';
export { SqliteStore } from './sqlite-store.js';
export { openStoreReader } from './store-reader.js';
export { Tracker } from './tracker.js';
