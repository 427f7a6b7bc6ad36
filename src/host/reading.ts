// What an opened host works with, as one module that is loaded at that moment.
export { Connection } from './connection.js';
export { deviceConfig } from './device-config.js';
export { deviceHealth } from './device-health.js';
export { preflight } from './preflight.js';
export { queueStats } from './queue-stats.js';
export { readLinks } from './read-links.js';
export { Resolver } from './resolver.js';
export { assertVdpaBus } from './vdpa-bus.js';
export { vendorStats } from './vendor-stats.js';
