import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorCodes } from '../../src/errors.js';

const document = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
/** Each section whose heading is a code in quotes, by that code. */
const sections = new Map(
  document
    .split(/^## /m)
    .slice(1)
    .flatMap((section) => {
      const [, code, text] = /^`([^`]+)`\n(.*)$/s.exec(section) ?? [];
      return code === undefined || text === undefined ? [] : [[code, text] as const];
    }),
);

describe('docs/errors.md', () => {
  test('has every code of the library as a heading, once, and no other', () => {
    const headings = [...document.matchAll(/^## `([^`]+)`$/gm)].map(([, code]) => code);
    expect(headings.toSorted()).toEqual([...errorCodes].toSorted());
  });

  test.each(errorCodes)('says cause and cure of %s', (code) => {
    expect(sections.get(code)).toMatch(/^Cause: \S/m);
    expect(sections.get(code)).toMatch(/^Cure: \S/m);
  });
});

describe('the error codes', () => {
  test('are words in capitals, none twice', () => {
    for (const code of errorCodes) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(new Set(errorCodes).size).toBe(errorCodes.length);
  });
});
