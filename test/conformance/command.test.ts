import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/conformance.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vdpa-host-conformance-'));
afterAll(() => rmSync(folder, { recursive: true }));

function conformance(...files: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...files], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function file(name: string, ...lines: object[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}

test('npm run conformance counts what is decided as recorded, and shows what is not', () => {
  const nothing = { requests: [], port_request: [], physnets: [], tunneled: false };
  const good = { case: { op: 'request', id: 'r-1', ports: [] }, expected: nothing };
  const bad = { ...good, expected: { ...nothing, physnets: ['physnet1'] } };
  const odd = { case: { op: 'divination', id: 'd-1' }, expected: {} };
  const passing = file('passing.jsonl', good);
  const failing = file('failing.jsonl', good, bad, odd);
  expect(conformance(passing, failing)).toEqual({
    status: 1,
    stdout: `${passing}: 1 passed, 0 failed
${failing}: 1 passed, 2 failed
  r-1.physnets.0: undefined, recorded "physnet1"
  d-1: nothing decides "divination"
`,
    stderr: '',
  });
  expect(conformance(passing).status).toBe(0);
});

test('npm run conformance refuses what are no files of cases', () => {
  expect(conformance()).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: /) });
  expect(conformance(join(folder, 'none'))).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/there is no file/),
  });
  expect(conformance(file('empty.jsonl'))).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/has no cases/),
  });
  expect(conformance(file('other.jsonl', {}))).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/no case/),
  });
});
