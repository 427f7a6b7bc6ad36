import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { OwnerSocket } from '../../src/lifecycle/owner-socket.js';
import { parseConfig } from '../../src/lifecycle/parse-config.js';
import { deskOf } from '../support/tracker-desk.mjs';
import { card } from '../unit/tracker/support/devices.js';
import { trackerOf } from '../unit/tracker/support/hosts.js';

const text = readFileSync(new URL('../../docs/agent.md', import.meta.url), 'utf8');

function block(language: string): string {
  const [, content = ''] = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text) ?? [];
  expect(content).not.toBe('');
  return content;
}

test('docs/agent.md has a configuration that is one', () => {
  expect(parseConfig(block('json'), 'docs/agent.md')).toMatchObject({
    numa: { policy: 'preferred' },
    retypeGraceMs: 10_000,
  });
});

test('docs/agent.md has a conversation as it takes place', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-document-'));
  const desk = deskOf(await trackerOf(card('65', 2)));
  const owner = await OwnerSocket.listen(join(folder, 'sock'), desk);
  const socket = connect({ path: owner.path });
  const heard = createInterface({ input: socket })[Symbol.asyncIterator]();
  for (const line of block('text').trim().split('\n')) {
    if (line.startsWith('> ')) socket.write(`${line.slice(2)}\n`);
    else expect((await heard.next()).value).toBe(line.slice(2));
  }
  socket.end();
  await once(socket, 'close');
  await owner.close();
  await desk[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});
