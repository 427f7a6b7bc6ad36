// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export const checkout = join(import.meta.dirname, '..', '..');
export const cli = join(checkout, 'lab', 'cli.mjs');

/** A process, named for good: ids are used again. */
export interface Proc {
  pid: number;
  started: string;
}

function stat(pid: number): { parent: number; started: string; state: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', parent: Number(fields[1]), started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** All processes below one. */
export function descendants(root: number): Proc[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const found = stat(Number(name));
      return found ? [{ pid: Number(name), ...found }] : [];
    });
  const below = (parent: number): Proc[] =>
    all
      .filter((proc) => proc.parent === parent)
      .flatMap(({ pid, started }) => [{ pid, started }, ...below(pid)]);
  return below(root);
}

/** Those of the processes that still run; a zombie holds nothing. */
export function alive(procs: Proc[]): Proc[] {
  return procs.filter(({ pid, started }) => {
    const now = stat(pid);
    return now?.started === started && now.state !== 'Z';
  });
}

/** An empty directory that goes with the test. */
export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lab-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }), 60_000);
  return dir;
}

export interface Cli {
  child: ChildProcess;
  /** The output up to now. */
  text: () => { stdout: string; stderr: string };
  /** Wait until the output has this in it. */
  seen: (text: string) => Promise<void>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Start the runner's command line with a directory of its own for temporary files. */
export function startCli(args: string[], env: Record<string, string> = {}): Cli {
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const seen = async (text: string) => {
    while (!stdout.includes(text)) {
      const event = await Promise.race([once(child.stdout, 'data'), ended]);
      if (!Array.isArray(event) && !stdout.includes(text)) {
        throw new Error(`the runner ended before "${text}":\n${stdout}\n${stderr}`);
      }
    }
  };
  return { child, text: () => ({ stdout, stderr }), seen, ended };
}

/** Run the command line to its end. */
export async function runCli(args: string[], env: Record<string, string> = {}) {
  const run = startCli(args, env);
  const { code, signal } = await run.ended;
  return { code, signal, ...run.text() };
}
