import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { onTestFinished } from 'vitest';

const storeModule = new URL('../../dist/tracker/sqlite-store.js', import.meta.url).href;

/** The path of a store that is not there yet, in a folder that goes with the test. */
export function newStorePath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vdpa-host-store-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'store');
}

type StoreProcess = ChildProcessByStdio<Writable, Readable, null>;

/**
 * Starts a process that runs a script with `SqliteStore` and, as `path`, a store's path.
 *
 * @param wrapper a command that runs a command
 */
export function storeProcess(
  path: string,
  script: string,
  ...wrapper: readonly string[]
): StoreProcess {
  const source = `import { SqliteStore } from '${storeModule}';
    const path = ${JSON.stringify(path)};
    ${script}`;
  const [command = '', ...args] = [
    ...wrapper,
    process.execPath,
    '--input-type=module',
    '-e',
    source,
  ];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** What a process prints before it ends. */
export async function outputOf(child: StoreProcess): Promise<string> {
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  return text;
}

/** A process that owns a store, for as long as it lives. */
export async function ownerOf(path: string): Promise<StoreProcess> {
  const child = storeProcess(
    path,
    `const store = new SqliteStore(path);
     await store.open();
     console.log('open');
     process.stdin.resume();`,
  );
  const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
  if (String(first) !== 'open\n') throw new Error('the process does not own the store');
  return child;
}

/** What a process gets that opens the store and closes it again: `open`, or an error's code. */
export async function openingElsewhere(path: string): Promise<string> {
  return await outputOf(
    storeProcess(
      path,
      `const store = new SqliteStore(path);
       const said = await store.open().then(() => 'open', ({ code }) => code);
       await store.close();
       process.stdout.write(said);`,
    ),
  );
}
