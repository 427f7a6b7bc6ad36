import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AgentError } from '../../../examples/compute-agent/agent-error.js';
import { ask } from '../../../examples/compute-agent/client.js';
import { linesOf } from '../../../examples/compute-agent/lines.js';
import { Log } from '../../../examples/compute-agent/log.js';
import { type Handler, Server } from '../../../examples/compute-agent/server.js';

let folder: string;
let path: string;
let log: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'example-'));
  path = join(folder, 'socket');
  log = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const listen = async (handler: Handler) =>
  await Server.listen(path, handler, new Log('host-a', (line) => log.push(line)));

/** Lines that are sent, and as many answers. */
async function spoken(...lines: readonly string[]): Promise<unknown[]> {
  const socket = connect(path);
  await once(socket, 'connect');
  socket.write(lines.map((line) => `${line}\n`).join(''));
  const answers: unknown[] = [];
  for await (const line of linesOf(socket.setEncoding('utf8'))) {
    answers.push(JSON.parse(line));
    if (answers.length === lines.length) break;
  }
  return answers;
}

test('an agent answers what is asked, to its owner alone', async () => {
  writeFileSync(path, 'left by a killed one');
  const server = await listen(async (verb, given) => ({ verb, given }));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await ask(path, 'list', { a: 1 })).toEqual({ verb: 'list', given: { a: 1 } });
  expect(await spoken('{"id":"x","verb":"list"}')).toEqual([
    { id: 'x', value: { verb: 'list', given: {} } },
  ]);
  await server.close();
  await expect(ask(path, 'list', {})).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
});

test('errors keep their codes, and what is no request is answered too', async () => {
  const server = await listen(async (verb) => {
    if (verb === 'refused') throw new AgentError('NO_ROOM', 'there is no room');
    throw new RangeError('a defect');
  });
  await expect(ask(path, 'refused', {})).rejects.toMatchObject({
    name: 'RemoteError',
    code: 'NO_ROOM',
    message: 'there is no room',
  });
  expect(await spoken('{"id":1,"verb":"other"}', 'no JSON', '{"id":2}')).toEqual(
    expect.arrayContaining([
      { id: 1, error: { code: 'DEFECT', message: 'a defect' } },
      { id: null, error: expect.objectContaining({ code: 'ARGUMENTS_INVALID' }) },
    ]),
  );
  await server.close();
  const failures = log.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error');
  expect(failures).toHaveLength(4);
  expect(failures[0]).toMatchObject({
    host: 'host-a',
    event: 'failed',
    error: { code: 'NO_ROOM' },
  });
});

test('an agent that ends answers what is under way, and no more', async () => {
  let finish = (): void => {};
  const begun = new Promise<void>((begin) => {
    finish = begin;
  });
  let end = (_value: string): void => {};
  const work = new Promise<string>((resolve) => {
    end = resolve;
  });
  const server = await listen(async () => {
    finish();
    return await work;
  });
  const answer = ask(path, 'slow', {});
  await begun;
  const closed = server.close();
  end('done');
  expect(await answer).toBe('done');
  await closed;
});

test('an agent that is being started is waited for', async () => {
  const answer = ask(path, 'list', {}, { patienceMs: 60_000 });
  const server = await listen(async () => 'here');
  expect(await answer).toBe('here');
  await server.close();
});

test('lines come whole, however they were cut', async () => {
  const chunks = async function* () {
    yield* ['a', 'b\nc', '\n\nd\n', 'cut short'];
  };
  const lines: string[] = [];
  for await (const line of linesOf(chunks())) lines.push(line);
  expect(lines).toEqual(['ab', 'c', '', 'd']);
  const endless = async function* () {
    for (;;) yield 'x'.repeat(2 ** 18);
  };
  await expect(linesOf(endless()).next()).rejects.toThrow('too long');
});
