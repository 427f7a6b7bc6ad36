import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { until } from './lab-host.js';

/** The command's program. */
export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command in a process of its own. */
export async function vdpaHost(config: string, ...argv: readonly string[]): Promise<Outcome> {
  try {
    const env = { ...process.env, VDPA_HOST_CONFIG: config };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...argv], {
      env,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as Outcome;
    return { code, stdout, stderr };
  }
}

/** A program that has said that it is ready, and what it has said since. */
export interface Started {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
}

/** Starts a program of Node and waits for its word. */
export async function started(word: string, ...argv: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line));
  }
  await until(() => lines.some((line) => line.includes(word)) || child.exitCode !== null);
  expect(lines.join('\n')).toContain(word);
  return { child, lines };
}

/** Ends it in whatever way, unless it has ended. */
export async function killed({ child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
