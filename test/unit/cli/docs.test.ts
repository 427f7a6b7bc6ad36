import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { commandTable } from '../../../src/cli/command-table.js';
import { runCli } from './support/run-cli.js';

// Every ```console block of docs/cli.md is a command line and what it prints: on the host of
// support/sample-host.ts, on a terminal of 130 columns without colours.

const file = new URL('../../../docs/cli.md', import.meta.url);
const block = /```console\n\$ vdpa-host ([^\n]*?)(; echo \$\?)?\n([\s\S]*?)```\n/g;

async function outputOf(commandLine: string, withStatus: boolean): Promise<string> {
  const { code, terminal } = await runCli(commandLine.split(' '), {
    isTty: true,
    columns: 130,
    env: { LANG: 'C.UTF-8', NO_COLOR: '1' },
  });
  return terminal + (withStatus ? `${code}\n` : '');
}

it('docs/cli.md shows what the command prints (UPDATE_EXAMPLES=1 writes it anew)', async () => {
  const text = readFileSync(file, 'utf8');
  const examples = await Promise.all(
    [...text.matchAll(block)].map(async ([whole, commandLine = '', status = '', output = '']) => {
      const actual = await outputOf(commandLine, status !== '');
      return { whole, commandLine, status, output, actual };
    }),
  );
  const { UPDATE_EXAMPLES } = process.env;
  if (UPDATE_EXAMPLES === '1') {
    const updated = examples.reduce(
      (doc, { whole, commandLine, status, actual }) =>
        doc.replace(
          whole,
          () => `\`\`\`console\n$ vdpa-host ${commandLine}${status}\n${actual}\`\`\`\n`,
        ),
      text,
    );
    writeFileSync(file, updated);
    return;
  }
  for (const { commandLine, output, actual } of examples) {
    expect(output, commandLine).toBe(actual);
  }
  // A block the pattern misses would be an example that nobody checks.
  expect(examples).toHaveLength(text.match(/^```console$/gm)?.length ?? 0);
});

it.each([...commandTable.keys()])('docs/cli.md has an example of %s', (name) => {
  const text = readFileSync(file, 'utf8');
  const commandLines = [...text.matchAll(block)].map(([, commandLine = '']) => commandLine);
  expect(commandLines.some((line) => line.split(' ')[0] === name)).toBe(true);
});
