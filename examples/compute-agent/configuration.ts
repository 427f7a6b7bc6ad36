import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AgentError } from './agent-error.js';

/** It stands in QEMU's options and in a shell's command, where other characters mean something. */
const path = z
  .string()
  .regex(/^(\/[\w.-]+)+$/, 'expected an absolute path of letters, digits, "-", "_", "." and "/"');

const configuration = z.strictObject({
  /** What the host is called in neutron, and in the log. */
  host: z.string().min(1),
  deviceSpec: z.array(z.looseObject({})),
  store: path,
  /** Where it answers. */
  socket: path,
  /** The instances' definitions, monitors, logs and saved states. */
  folder: path,
  /** A command line; the agent adds monitors. `{instance}` and `{folder}` are replaced. */
  qemu: z.tuple([z.string().min(1)], z.string()),
  /** What a live migration may take of the network, in bytes per second. Default: 1 GiB. */
  migrationBandwidth: z
    .int()
    .positive()
    .default(2 ** 30),
});

export type Configuration = Readonly<z.infer<typeof configuration>>;

/** @throws {AgentError} `CONFIGURATION_INVALID`, naming every key that is wrong */
export function parseConfiguration(text: string, name: string): Configuration {
  try {
    return configuration.parse(JSON.parse(text));
  } catch (cause) {
    throw invalid(name, cause);
  }
}

/** @throws {AgentError} `CONFIGURATION_INVALID` */
export async function readConfiguration(file: string): Promise<Configuration> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw invalid(file, cause);
  });
  return parseConfiguration(text, file);
}

function invalid(name: string, cause: unknown): AgentError {
  const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
  return new AgentError('CONFIGURATION_INVALID', `${name}: ${why}`, { cause });
}
