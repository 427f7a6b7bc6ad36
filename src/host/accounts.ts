import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { VdpaError } from '../errors.js';
import type { WantedPf } from './parse-declaration.js';
import type { Accounts } from './provision-wishes.js';

const run = promisify(execFile);
/** A directory server that does not answer must not hold up everything. */
const timeoutMs = 30_000;

/** Looks the users and groups of a declaration up, wherever this machine has them from (NSS). */
export async function accountsOf(
  declared: readonly WantedPf[],
  signal: AbortSignal | undefined,
): Promise<Accounts> {
  const devices = declared.flatMap((entry) => entry.devices);
  const [users, groups] = await Promise.all([
    numbers(
      'passwd',
      devices.map(({ owner }) => owner),
      signal,
    ),
    numbers(
      'group',
      devices.map(({ group }) => group),
      signal,
    ),
  ]);
  return { users, groups };
}

async function numbers(
  database: 'passwd' | 'group',
  accounts: readonly (string | number | null)[],
  signal: AbortSignal | undefined,
): Promise<Map<string, number>> {
  const names = new Set(accounts.filter((account) => typeof account === 'string'));
  const found = new Map<string, number>();
  for (const name of names) {
    signal?.throwIfAborted();
    const number = await numberOf(database, name);
    if (number !== null) found.set(name, number);
  }
  return found;
}

/** getent's status for a key that is not there. */
const notFound = 2;

async function numberOf(database: string, name: string): Promise<number | null> {
  try {
    const { stdout } = await run('getent', ['--', database, name], { timeout: timeoutMs });
    const [found, , number] = stdout.split('\n', 1)[0]?.split(':') ?? [];
    // getent also takes numbers, which a declaration writes without quotes.
    return found === name && number !== undefined ? Number(number) : null;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === notFound) return null;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new VdpaError('DECLARATION_UNFIT', `provision: ${name} cannot be looked up: ${why}`, {
      cause,
      retry: 'later',
    });
  }
}
