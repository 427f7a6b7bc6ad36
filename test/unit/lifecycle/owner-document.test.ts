import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { card } from '../tracker/support/devices.js';
import { Owner, RawPeer } from './support/owner.js';

const document = readFileSync(new URL('../../../docs/store.md', import.meta.url), 'utf8');

test("what docs/store.md shows of the owner's socket is what is said there", async () => {
  const [, section = ''] = document.split("## The owner's socket\n");
  const [, talk = ''] = /```text\n(.*?)```/s.exec(section) ?? [];
  const lines = talk.split('\n').filter((line) => line !== '');
  expect(lines.length).toBeGreaterThan(10);
  await using owner = await Owner.of(card('65', 2));
  await using peer = new RawPeer(owner.path);
  for (const line of lines) {
    const document = JSON.parse(line.slice(2));
    if (line.startsWith('> ')) peer.send(document);
    else expect(await peer.read()).toEqual(document);
  }
});
