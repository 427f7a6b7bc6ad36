// The store as it is built: its thread loads a file of its own, which has to be JavaScript. The types
// come from the sources.

const built = (module: string): string =>
  new URL(`../../dist/tracker/${module}.js`, import.meta.url).href;

const storeFile = built('sqlite-store');
export const { SqliteStore }: typeof import('../../src/tracker/sqlite-store.js') = await import(
  /* @vite-ignore */ storeFile
);
export type SqliteStore = InstanceType<typeof SqliteStore>;
