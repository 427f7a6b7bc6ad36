import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { OwnerClient } from '../../../src/lifecycle/owner-client.js';
import type { Claim } from '../../../src/tracker/claim.js';
import { long } from '../../support/test-length.js';
import { Folder } from './support/owner.js';

const rounds = long ? 600 : 60;

/** A program of test/support, and what it has said so far. */
class Program implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly said: string[] = [];
  readonly ended: Promise<unknown>;
  #heard: () => void = () => {};

  constructor(name: string, ...args: readonly string[]) {
    const file = fileURLToPath(new URL(`../../support/${name}.mjs`, import.meta.url));
    const child = spawn(process.execPath, [file, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    this.ended = once(child, 'close');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.said.push(line);
      this.#heard();
    });
    this.ended.then(() => this.#heard());
  }

  /** Resolves when it has said so many lines. */
  async lines(count: number): Promise<void> {
    while (this.said.length < count) {
      if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}`);
      await new Promise<void>((heard) => {
        this.#heard = heard;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** Which claims a client knows that it has, by id with the device; and of which it cannot know. */
function known(said: readonly string[]): { has: Map<string, string>; doubt: string | null } {
  const has = new Map<string, string>();
  let doubt: string | null = null;
  for (const line of said) {
    const [id = '', device = ''] = line.slice(1).split(' ');
    if (line[0] === '+') has.set(id, device);
    else has.delete(id);
    doubt = line[0] === '?' ? id : null;
  }
  return { has, doubt };
}

test('processes share an owner that claims itself, and one that is killed loses nothing', async () => {
  using folder = new Folder();
  const store = join(folder.path, 'store');
  // Each keeps a third of its claims, and the victim however many it gets to.
  await using owner = new Program('socket-owner', store, `${rounds * 3}`);
  await owner.lines(1);
  const socket = `${store}.sock`;
  const names = ['a', 'b', 'victim'];
  const clients = names.map((name) => {
    return new Program('socket-client', socket, name, `${name === 'victim' ? 1e6 : rounds}`);
  });
  const [a, b, victim] = clients as [Program, Program, Program];
  await victim.lines(20);
  victim.child.kill('SIGKILL');
  await Promise.all(clients.map(({ ended }) => ended));
  expect([a.child.exitCode, b.child.exitCode]).toEqual([0, 0]);

  await using client = await OwnerClient.connect(socket);
  const claims = await client.claims();
  const devicesOf = ({ devices }: Claim) => devices.map(({ deviceId }) => deviceId);
  for (const program of [a, b]) {
    const { has, doubt } = known(program.said);
    expect(doubt).toBeNull();
    const found = claims.filter(({ instance }) => instance === names[clients.indexOf(program)]);
    expect(found.flatMap((claim) => devicesOf(claim).map((device) => [claim.id, device]))).toEqual([
      ...has,
    ]);
    expect(has.size).toBe(rounds / 3);
  }

  // What it was told is so; besides that it may have one claim more or less, that it was not told of.
  const { has, doubt } = known(victim.said);
  const left = claims.filter(({ instance }) => instance === 'victim');
  const unknown = left.filter(({ id }) => !has.has(id));
  expect(unknown.length).toBeLessThanOrEqual(1);
  for (const [id, device] of has) {
    expect(left.find((claim) => claim.id === id)).toMatchObject({
      devices: [{ deviceId: device }],
    });
  }
  // Asked again, the one in doubt is the same.
  for (const claim of unknown) {
    const { id, instance, requests } = claim;
    expect(await client.claim({ id, instance, requests })).toEqual(claim);
    if (doubt !== null) expect(id).toBe(doubt);
  }

  const taken = claims.flatMap(devicesOf);
  expect(new Set(taken).size).toBe(taken.length);
  expect(await client.audit({ instances: ['a', 'b', 'victim', 'own'] as never[] })).toEqual([]);
  await client.close();
  owner.child.kill('SIGTERM');
  await owner.ended;
  const { own, doubled } = JSON.parse(owner.said.at(-1) ?? '');
  expect(own).toBeGreaterThan(0);
  expect(doubled).toEqual([]);
});
