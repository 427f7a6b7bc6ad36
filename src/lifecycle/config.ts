import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { VdpaError } from '../errors.js';
import type { NumaPolicy } from '../policy/numa-policy.js';
import type { GuestsConfig } from './guest-drivers.js';

/** Where a configuration is looked for that is named neither by an option nor in the environment. */
export const defaultConfigPath = '/etc/vdpa-host/config.json';

/** What an agent and the commands of a host have in common. */
export interface Config {
  /** The file it was read from. */
  readonly path: string;
  /** As in nova's `[pci] device_spec`. */
  readonly deviceSpec: readonly unknown[];
  /** The file of records and claims; one that is relative lies beside the configuration. */
  readonly store: string;
  readonly reportInPlacement: boolean;
  readonly allowSoftwareDevices: boolean;
  readonly retypeGraceMs: number;
  readonly numa: {
    /** Of requests that name none; null: `legacy`. */
    readonly policy: NumaPolicy | null;
  };
  /** Whose guests are listed. */
  readonly guests: GuestsConfig;
}

/**
 * Reads a configuration: JSON, of which unknown keys are refused.
 *
 * @param path null: that of the environment's `VDPA_HOST_CONFIG`, or `/etc/vdpa-host/config.json`
 * @throws {VdpaError} `CONFIG_MISSING`, `CONFIG_INVALID` with every key that is wrong
 */
export async function readConfig(
  path: string | null,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Config> {
  const file = resolve(path ?? (environment['VDPA_HOST_CONFIG'] || defaultConfigPath));
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new VdpaError(
      'CONFIG_MISSING',
      code === 'ENOENT'
        ? `there is no configuration at ${file}: make one, or name another with --config or VDPA_HOST_CONFIG`
        : `the configuration cannot be read: ${message}`,
      { errno: code, cause: error },
    );
  }
  const { parseConfig } = await import('./parse-config.js');
  const { store, ...config } = parseConfig(text, file);
  return { ...config, path: file, store: resolve(dirname(file), store) };
}
