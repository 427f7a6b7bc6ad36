import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The compiled library, for processes and workers of their own. */
export const distUrl = new URL('../../../dist/index.js', import.meta.url).href;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a module in a Node process of its own; ended by force after 30 seconds. */
export async function runModule(source: string, ...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** What the process's descriptors lead to, of those whose target has this in it. */
export function descriptorsTo(part: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.includes(part) ? [target] : [];
    } catch {
      return []; // the descriptor of this very listing
    }
  });
}

export function threads(): number {
  return readdirSync('/proc/self/task').length;
}

/** What the kernel calls the process's threads. */
export function threadNames(): string[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      return [readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trimEnd()];
    } catch {
      return []; // it ended since
    }
  });
}

/** Waits for what other threads are about to do; fails, with what was seen last, after 20 seconds. */
export async function eventually<T>(look: () => T, accept: (seen: T) => boolean): Promise<T> {
  const end = Date.now() + 20_000;
  for (;;) {
    const seen = look();
    if (accept(seen)) return seen;
    if (Date.now() > end) throw new Error(`still ${String(seen)} after 20 seconds`);
    await sleep(10);
  }
}

/** Collects all garbage there is. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
