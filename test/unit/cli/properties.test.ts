import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentSchemas } from '../../../src/cli/schema.js';
import { anyInventory } from './support/arbitrary-inventory.js';
import { blockConfig, fakeHost, netConfig } from './support/fake-host.js';
import { runCli } from './support/run-cli.js';

/** How often a text names each device, by the `<n>` its name begins with. */
function mentions(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [tag] of text.matchAll(/<\d+>/g)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return counts;
}

function onceEach(count: number): Map<string, number> {
  return new Map(Array.from({ length: count }, (_, index) => [`<${index}>`, 1]));
}

function sorted(counts: Map<string, number>): [string, number][] {
  return [...counts].sort(([a], [b]) => Number(a.slice(1, -1)) - Number(b.slice(1, -1)));
}

describe('for any host', { timeout: 60_000 }, () => {
  it('tree and list mention every device exactly once, on one line, in safe characters', async () => {
    await fc.assert(
      fc.asyncProperty(anyInventory, fc.boolean(), async (inventory, unicode) => {
        const env = unicode ? { LANG: 'C.UTF-8' } : {};
        const expected = sorted(onceEach(inventory.devices.length));
        for (const command of ['tree', 'list']) {
          const { stdout } = await runCli([command], { host: fakeHost({ inventory }), env });
          expect(sorted(mentions(stdout))).toEqual(expected);
          expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          if (!unicode) expect(stdout).toMatch(/^[ -~\n]*$/);
          // A name that could break a line would make more of them than there is to say.
          for (const line of stdout.split('\n')) {
            expect(line.match(/<\d+>/g)?.length ?? 0).toBeLessThanOrEqual(1);
          }
        }
      }),
    );
  });

  it('the summary counts what the inventory holds', async () => {
    await fc.assert(
      fc.asyncProperty(anyInventory, async (inventory) => {
        fc.pre(inventory.devices.length > 0);
        const { stdout } = await runCli(['tree'], { host: fakeHost({ inventory }) });
        const usable = inventory.devices.filter((device) => device.usable).length;
        const rest = inventory.devices.length - usable;
        expect(stdout).toMatch(
          new RegExp(
            `\n\n${inventory.devices.length} devices?, ${usable} usable, ${rest} not usable\n`,
          ),
        );
      }),
    );
  });

  it('the collapsed and the single VFs add up to all of them', async () => {
    await fc.assert(
      fc.asyncProperty(anyInventory, async (inventory) => {
        const { stdout } = await runCli(['tree'], { host: fakeHost({ inventory }) });
        const runs = [...stdout.matchAll(/vf (\d+)-(\d+): (\d+) VFs/g)].map((run) =>
          run.slice(1).map(Number),
        );
        for (const [first = 0, last = 0, count] of runs) expect(last - first + 1).toBe(count);
        const collapsed = runs.reduce((sum, [, , count = 0]) => sum + count, 0);
        const single = stdout.match(/[├└]─ vf \d+ /g)?.length ?? 0;
        expect(collapsed + single).toBe(inventory.vfs.length);
      }),
    );
  });

  it('the documents fit their schemas, and the tree holds every device exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(anyInventory, async (inventory) => {
        const host = fakeHost({ inventory });
        for (const kind of ['list', 'tree'] as const) {
          const { stdout } = await runCli([kind, '--json'], { host });
          const document: unknown = JSON.parse(stdout);
          expect(documentSchemas[kind].parse(document)).toEqual(document);
          // Quoted as a name: the ids of software devices hold the name too.
          const names = stdout.match(/"name":"<\d+>/g)?.join('') ?? '';
          expect(sorted(mentions(names))).toEqual(sorted(onceEach(inventory.devices.length)));
        }
      }),
    );
  });

  it('whatever is in it can be shown by name, id and address', async () => {
    await fc.assert(
      fc.asyncProperty(anyInventory, fc.nat(), async (inventory, choice) => {
        const queries = [
          ...inventory.devices.flatMap(({ name, id }) => [name, id]),
          ...[...inventory.pfs, ...inventory.vfs, ...inventory.others].map((fn) => fn.address),
          ...inventory.managementDevices.map(({ handle }) => handle),
        ];
        fc.pre(queries.length > 0);
        const query = queries[choice % queries.length] ?? '';
        const host = fakeHost({
          inventory,
          config: (name) => (choice % 2 === 0 ? netConfig(name) : blockConfig(name)),
        });
        const json = await runCli(['show', '--json', '--', query], { host });
        expect(json).toMatchObject({ code: 0, stderr: '' });
        documentSchemas.show.parse(JSON.parse(json.stdout));
        const text = await runCli(['show', '--', query], { host });
        expect(text).toMatchObject({ code: 0, stderr: '' });
        expect(text.stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });
});
