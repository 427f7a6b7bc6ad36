import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { commandTable } from '../../src/cli/command-table.js';
import { parseInvocation } from '../../src/cli/invocation.js';
import { errorCodes } from '../../src/errors.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const documents = [
  ...[
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'lab/README.md',
    'examples/compute-agent/README.md',
  ],
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');
const prose = (text: string): string => text.replaceAll(/^```.*?^```$/gms, '');
const code = (text: string): string[] =>
  [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, words = '']) => words);

/** Of a document's headings, as its readers make them. */
function anchorsOf(text: string): string[] {
  return [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe.each(documents)('%s', (path) => {
  const text = textOf(path);

  test('has links that lead somewhere', () => {
    const links = [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : relative(root, join(root, dirname(path), file));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(textOf(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('names files that are there', () => {
    const named = code(text).filter((words) =>
      /^(src|native|test|docs|systemd|scripts)\/[\w./-]+$/.test(words),
    );
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

describe('docs/operating.md', () => {
  const text = textOf('docs/operating.md');

  test('has command lines that the command takes', async () => {
    const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, lines = '']) =>
      lines.split('\n'),
    );
    const lines = [...code(text), ...blocks].flatMap((line) => {
      const [, given] = /(?:^|\s)vdpa-host ([a-z-][^#&;]*)/.exec(line) ?? [];
      return given === undefined || given.endsWith('...') ? [] : [given.trim()];
    });
    expect(lines.length).toBeGreaterThan(30);
    for (const line of lines) {
      const words = line.split(/\s+/);
      if (words.length === 1 && !line.startsWith('-')) {
        expect([...commandTable.keys()]).toContain(line);
      } else {
        await expect(parseInvocation(words), line).resolves.toBeDefined();
      }
    }
  });

  test('has codes that there are', () => {
    const known: ReadonlySet<string> = new Set(errorCodes);
    const other = /^(CAP|RLIMIT|VDPA_HOST)_/;
    const codes = code(text).filter((words) => /^[A-Z]+(_[A-Z]+)+$/.test(words));
    expect(codes.length).toBeGreaterThan(30);
    expect(codes.filter((one) => !known.has(one) && !other.test(one))).toEqual([]);
  });
});
