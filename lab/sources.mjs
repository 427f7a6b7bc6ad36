// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The machine's own package sources, and another suite of the same mirror.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './lab-error.mjs';

/**
 * @typedef {object} Source
 * @property {string[]} uris
 * @property {string[]} suites
 * @property {string[]} components
 * @property {string | undefined} signedBy path of a key ring, or an embedded key
 */

/** @param {string | undefined} text */
const words = (text) => text?.split(/\s+/).filter(Boolean) ?? [];

/**
 * The deb822 format: stanzas of fields; a continued field's lines begin with a blank.
 * @param {string} text
 * @returns {Source[]}
 */
export function parseStanzas(text) {
  const plain = text.replace(/^#.*\n?/gm, '');
  return plain.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map(
      [...stanza.matchAll(/^([\w-]+):[ \t]*(.*(?:\n[ \t]+.*)*)/gm)].map((match) => [
        /** @type {string} */ (match[1]).toLowerCase(),
        /** @type {string} */ (match[2]).trimEnd(),
      ]),
    );
    const types = words(fields.get('types'));
    if (!types.includes('deb') || /^(?:no|false)$/i.test(fields.get('enabled') ?? '')) return [];
    return [
      {
        uris: words(fields.get('uris')),
        suites: words(fields.get('suites')),
        components: words(fields.get('components')),
        signedBy: fields.get('signed-by'),
      },
    ];
  });
}

/**
 * The one-line format: deb [option=value ...] URI suite component...
 * @param {string} text
 * @returns {Source[]}
 */
export function parseLines(text) {
  return [...text.matchAll(/^deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)[ \t]*([^#\n]*)/gm)].map(
    ([, options, uri, suite, components]) => ({
      uris: words(uri),
      suites: words(suite),
      components: words(components),
      signedBy: /(?:^|\s)signed-by=(\S+)/.exec(options ?? '')?.[1],
    }),
  );
}

/** @param {string} etc apt's configuration folder @returns {Source[]} */
export function machineSources(etc) {
  const parts = join(etc, 'sources.list.d');
  const files = existsSync(parts) ? readdirSync(parts).map((name) => join(parts, name)) : [];
  return [join(etc, 'sources.list'), ...files].filter(existsSync).flatMap((file) => {
    if (file.endsWith('.sources')) return parseStanzas(readFileSync(file, 'utf8'));
    return file.endsWith('.list') ? parseLines(readFileSync(file, 'utf8')) : [];
  });
}

/** @param {Source} source */
function stanza({ uris, suites, components, signedBy }) {
  const lines = ['Types: deb', `URIs: ${uris.join(' ')}`, `Suites: ${suites.join(' ')}`];
  lines.push(`Components: ${components.join(' ')}`);
  if (signedBy) lines.push(`Signed-By: ${signedBy}`);
  return `${lines.join('\n')}\n`;
}

/**
 * A sources file with the release the machine runs and the wanted suite from the same mirror.
 * Backports of another release need that release itself too.
 * @param {Source[]} sources
 * @param {string} release the machine's, such as bookworm
 * @param {string} suite
 * @returns {string}
 */
export function sourcesFor(sources, release, suite) {
  const own = sources
    .map((source) => ({
      ...source,
      suites: source.suites.filter((name) => name === release || name.startsWith(`${release}-`)),
    }))
    .filter((source) => source.suites.length > 0);
  const kind = suite.endsWith('-security') ? '-security' : '';
  const mirror = own.find((source) => source.suites.includes(release + kind));
  if (!mirror)
    throw new LabError(`the machine's package sources name no mirror of ${release}${kind}`);
  const base = suite.replace(/-.*/, '');
  const wanted = base === release || suite.endsWith('-security') ? [suite] : [base, suite];
  const missing = [...new Set(wanted)].filter((name) => !own.some((s) => s.suites.includes(name)));
  const added = missing.length > 0 ? [{ ...mirror, suites: missing }] : [];
  return [...own, ...added].map(stanza).join('\n');
}
