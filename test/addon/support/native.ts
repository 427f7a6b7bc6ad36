import { createRequire } from 'node:module';
import { type NativeHost, openNativeHost, type UeventMonitor } from '../../../src/native.js';
import { nativeError } from '../../../src/native-error.js';
import { resolvedRow } from '../../../src/rows.js';
import type { CapturedHost } from '../../support/captured-host.js';

/** Where the addon under test lies. */
export const addonPath = new URL(
  `../../../build/${process.env['VDPA_HOST_ADDON_BUILD'] === 'Debug' ? 'Debug' : 'Release'}/vdpa_host.node`,
  import.meta.url,
).pathname;

/** The addon's exports as they are, for calls that TypeScript would refuse. */
export interface RawAddon {
  setUp(...args: unknown[]): unknown;
  passCharDevice(...args: unknown[]): unknown;
  tryCharDevice(...args: unknown[]): unknown;
  setMemoryLock(...args: unknown[]): unknown;
  Host: (new (...args: unknown[]) => RawHost) & ((...args: unknown[]) => unknown);
  UeventMonitor: (new (...args: unknown[]) => UeventMonitor) & ((...args: unknown[]) => unknown);
}

export type RawHost = Record<keyof NativeHost, (...args: unknown[]) => unknown>;

export function rawAddon(): RawAddon {
  const addon: RawAddon = createRequire(import.meta.url)(addonPath);
  addon.setUp(resolvedRow, nativeError);
  return addon;
}

/** Runs with the native host of a captured one, and closes it. */
export async function withNativeHost<T>(
  captured: CapturedHost,
  use: (native: NativeHost) => Promise<T>,
): Promise<T> {
  const native = openNativeHost(captured.root);
  try {
    return await use(native);
  } finally {
    await native.close();
  }
}
