// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { parseLines, parseStanzas, sourcesFor } from '../../lab/sources.mjs';
import { findUnpacked, unpackFromSuite } from '../../lab/suites.mjs';
import { scratch } from './support.js';

const STANZAS = `# the mirror
Types: deb deb-src
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates
# a comment inside
Components: main
Signed-By: /usr/share/keyrings/a.gpg

Types: deb
URIs: https://mirror.example/security
Suites: bookworm-security
Components: main
 contrib

Types: deb
URIs: https://off.example
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: https://sources.example
Suites: bookworm
Components: main
`;

describe('the package sources', () => {
  test('stanzas are read, but not those that are off or of source packages', () => {
    expect(parseStanzas(STANZAS)).toEqual([
      {
        uris: ['https://mirror.example/debian'],
        suites: ['bookworm', 'bookworm-updates'],
        components: ['main'],
        signedBy: '/usr/share/keyrings/a.gpg',
      },
      {
        uris: ['https://mirror.example/security'],
        suites: ['bookworm-security'],
        components: ['main', 'contrib'],
        signedBy: undefined,
      },
    ]);
  });

  test('lines are read with and without options', () => {
    const text = `# deb http://no.example a main
deb http://one.example trixie main contrib # why
deb [arch=amd64 signed-by=/k.gpg] http://two.example trixie-updates main
deb-src http://one.example trixie main\n`;
    expect(parseLines(text)).toEqual([
      {
        uris: ['http://one.example'],
        suites: ['trixie'],
        components: ['main', 'contrib'],
        signedBy: undefined,
      },
      {
        uris: ['http://two.example'],
        suites: ['trixie-updates'],
        components: ['main'],
        signedBy: '/k.gpg',
      },
    ]);
  });

  test('another suite comes from the mirror of the release, signed by the same', () => {
    const made = parseStanzas(sourcesFor(parseStanzas(STANZAS), 'bookworm', 'bookworm-backports'));
    expect(made.at(-1)).toEqual({
      uris: ['https://mirror.example/debian'],
      suites: ['bookworm-backports'],
      components: ['main'],
      signedBy: '/usr/share/keyrings/a.gpg',
    });
    expect(made).toHaveLength(3);
  });

  test('backports of another release bring that release; its security is on its own mirror', () => {
    const from = parseStanzas(STANZAS);
    const suites = (suite: string) =>
      parseStanzas(sourcesFor(from, 'bookworm', suite)).at(-1)?.suites;
    expect(suites('trixie-backports')).toEqual(['trixie', 'trixie-backports']);
    expect(parseStanzas(sourcesFor(from, 'bookworm', 'trixie-security')).at(-1)).toMatchObject({
      uris: ['https://mirror.example/security'],
      suites: ['trixie-security'],
    });
    expect(suites('bookworm')).toEqual(['bookworm-security']);
  });

  test('a machine without a mirror of its release is told so', () => {
    expect(() => sourcesFor([], 'bookworm', 'trixie')).toThrow('name no mirror of bookworm');
  });
});

describe('unpacking', () => {
  test('a name that is no package is refused before apt sees it', async () => {
    const cache = scratch();
    await expect(unpackFromSuite('bookworm', ['-o=x'], { cache })).rejects.toThrow('bad name');
    await expect(unpackFromSuite('../x', ['bash'], { cache })).rejects.toThrow('bad name');
  });

  test('nothing is found in an empty cache', () => {
    expect(findUnpacked('bookworm-backports', ['iproute2'], scratch())).toBeUndefined();
  });
});
