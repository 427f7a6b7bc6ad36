import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export type Example = (given: Record<string, unknown>) => Promise<void>;

/**
 * The first example of a document, or of a section of it, with what it leaves to its reader given.
 *
 * @param place such as `docs/operations.md`, `docs/operations.md#Live migration`
 * @param names of what is given
 * @param changes texts of it that are others here
 */
export async function exampleOf(
  place: string,
  names: readonly string[],
  changes: Readonly<Record<string, string>> = {},
): Promise<Example> {
  const [path = '', section] = place.split('#');
  const text = readFileSync(path, 'utf8');
  const from = section === undefined ? 0 : text.indexOf(`\n## ${section}\n`);
  let [, code = ''] = /```ts\n([\s\S]*?)```/.exec(text.slice(from)) ?? [];
  if (from < 0 || code === '') throw new Error(`${place} has no example`);
  for (const [one, other] of Object.entries(changes)) code = code.replace(one, other);
  const imports = code.match(/^import .*\n/gm) ?? [];
  const body = code.replaceAll(/^import .*\n/gm, '');
  const file = join(
    process.cwd(),
    'build/examples',
    `${basename(place).replaceAll(/\W/g, '-')}.ts`,
  );
  mkdirSync(dirname(file), { recursive: true });
  const ours = imports.map((line) =>
    line
      .replace(/'vdpa-host\/(\w+)'/, "'../../src/$1/index.js'")
      .replace("'vdpa-host'", "'../../src/index.js'"),
  );
  const begin = `export default async ({ ${names.join(', ')} }) => {`;
  writeFileSync(file, [...ours, begin, `${body}};`].join('\n'));
  const module: { default: Example } = await import(file);
  return module.default;
}
