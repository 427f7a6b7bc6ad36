import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstanceId } from 'vdpa-host';
import { z } from 'zod';
import { AgentError } from './agent-error.js';
import { type Definition, definition, type Phase } from './definition.js';
import { removeDurably, writeDurably } from './durable-file.js';
import type { Log } from './log.js';

const suffix = '.json';

/** The instances of this host: a file for each, as durable as the library's own store. */
export class Instances {
  readonly #folder: string;
  readonly #log: Log;
  readonly #known = new Map<InstanceId, Definition>();

  private constructor(folder: string, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /** @throws {AgentError} `DEFINITION_INVALID` */
  static async open(folder: string, log: Log): Promise<Instances> {
    const instances = new Instances(folder, log);
    for (const name of (await readdir(folder)).filter((each) => each.endsWith(suffix)).sort()) {
      const one = await read(join(folder, name));
      instances.#known.set(one.instance, one);
    }
    return instances;
  }

  all(): Definition[] {
    return [...this.#known.values()];
  }

  find(instance: InstanceId): Definition | null {
    return this.#known.get(instance) ?? null;
  }

  /** @throws {AgentError} `INSTANCE_UNKNOWN` */
  get(instance: InstanceId): Definition {
    const found = this.find(instance);
    if (found !== null) return found;
    throw new AgentError('INSTANCE_UNKNOWN', `there is no instance ${instance} here`);
  }

  /** Resolves when it is durable. */
  async put(one: Definition): Promise<void> {
    await writeDurably(this.#path(one.instance), `${JSON.stringify(one)}\n`);
    this.#known.set(one.instance, one);
    this.#log.info({ instance: one.instance, ...one.phase }, 'phase');
  }

  /** All but the phase stays as it is now. */
  async enter<P extends Phase>(
    { instance }: Definition,
    phase: P,
  ): Promise<Definition & { readonly phase: P }> {
    const entered = { ...this.get(instance), phase };
    await this.put(entered);
    return entered;
  }

  async forget(instance: InstanceId): Promise<void> {
    await removeDurably(this.#path(instance));
    this.#known.delete(instance);
    this.#log.info({ instance }, 'forgotten');
  }

  #path(instance: InstanceId): string {
    return join(this.#folder, `${instance}${suffix}`);
  }
}

async function read(path: string): Promise<Definition> {
  try {
    return definition.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new AgentError('DEFINITION_INVALID', `${path}: ${why}`, { cause });
  }
}
