import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import * as policy from '../../../src/policy/index.js';

// docs/policy.md: its programs are one, block after block, and each `expression; // => value` holds.

const text = readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
const blocks = (kind: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${kind}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, code = '']) => code,
  );

describe('docs/policy.md', () => {
  test('shows what its programs do', () => {
    const program = blocks('ts').join('\n');
    const { outputText } = ts.transpileModule(
      program
        .replaceAll(/^import .* from 'vdpa-host\/policy';$/gm, '')
        .replaceAll(/^(.+); \/\/ => (.+)$/gm, (_, code, value) => `check(${code}, ${value});`),
      { compilerOptions: { target: ts.ScriptTarget.ES2022 } },
    );
    let checked = 0;
    const check = (actual: unknown, expected: unknown): void => {
      expect(actual).toEqual(expected);
      checked++;
    };
    const scope = { ...policy, check };
    new Function(...Object.keys(scope), outputText)(...Object.values(scope));
    expect(checked).toBe(program.match(/; \/\/ => /g)?.length);
    expect(checked).toBeGreaterThan(5);
  });

  test('shows entries that can be used', () => {
    const [deviceSpec = '', alias = ''] = blocks('json');
    expect(policy.DeviceSpec.parse(JSON.parse(deviceSpec)).entries).toHaveLength(4);
    expect(policy.PciAliases.parse([alias]).requests('gpu:2')).toMatchObject([{ count: 2 }]);
  });
});
