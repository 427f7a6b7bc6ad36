import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

interface Import {
  /** Path below src, or the package's name. */
  readonly to: string;
  /** Whether it is there when the importing module runs: neither a type nor a later import(). */
  readonly loads: boolean;
}

/** What each module of the library imports. */
const imports = new Map<string, readonly Import[]>(
  readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [file, importsOf(file)]),
);

function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
        found.push({ to: resolved(file, node.moduleSpecifier.text), loads: !isOnlyTypes(node) });
      }
    } else if (ts.isCallExpression(node) || ts.isImportTypeNode(node)) {
      const called = ts.isCallExpression(node) ? node.expression.getText() : 'import';
      const of = ts.isCallExpression(node) ? node.arguments[0] : node.argument;
      const literal = of !== undefined && ts.isLiteralTypeNode(of) ? of.literal : of;
      if (/^(import|require)$/.test(called) && literal && ts.isStringLiteral(literal)) {
        found.push({ to: resolved(file, literal.text), loads: false });
      }
    }
    ts.forEachChild(node, visit);
  };
  const code = readFileSync(join(src, file), 'utf8');
  visit(ts.createSourceFile(file, code, ts.ScriptTarget.ESNext, true));
  return found;
}

function isOnlyTypes(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) {
    const { isTypeOnly, exportClause: names } = node;
    return isTypeOnly || (names !== undefined && allTypes(names));
  }
  const { importClause: clause } = node;
  if (clause === undefined) return false; // for its effects
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  return (
    clause.name === undefined &&
    clause.namedBindings !== undefined &&
    allTypes(clause.namedBindings)
  );
}

function allTypes(names: ts.NamedImportBindings | ts.NamedExportBindings): boolean {
  return (
    (ts.isNamedImports(names) || ts.isNamedExports(names)) &&
    names.elements.every(({ isTypeOnly }) => isTypeOnly)
  );
}

function resolved(from: string, to: string): string {
  if (!to.startsWith('.')) return to;
  return relative(src, join(src, dirname(from), to)).replace(/\.js$/, '.ts');
}

/** From the lowest; a module imports its own layer and those below. */
const layers = ['native', 'host', 'policy', 'tracker', 'guest', 'lifecycle', 'cli'];
const atTheRoot: Readonly<Record<string, string>> = {
  'errors.ts': 'native',
  'native-error.ts': 'native',
  'native.ts': 'native',
  'row-reader.ts': 'native',
  'rows.ts': 'native',
  'abortable.ts': 'native',
  'each-of.ts': 'native',
  'keyed-turns.ts': 'native',
  'turns.ts': 'native',
  'event-queue.ts': 'native',
  'event-queues.ts': 'native',
  'line-splitter.ts': 'native',
  'logger.ts': 'native',
  'parsed.ts': 'native',
  'connect-unix.ts': 'native',
  'socket-folder.ts': 'native',
  'socket-peer.ts': 'native',
  'vdpa-host.ts': 'lifecycle',
  'index.ts': 'lifecycle',
};

/** The one part of the tracker that has files. Nothing else of it loads any of this. */
const durableStore = /^tracker\/(sqlite-|store-(check|lock|owner|path|reader)\.ts)/;

function layerOf(file: string): number {
  const [folder = '', ...rest] = file.split('/');
  return layers.indexOf(rest.length === 0 ? (atTheRoot[file] ?? '') : folder);
}

/** All that is loaded with a module, itself included. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { to, loads } of imports.get(file) ?? []) if (loads) loadedWith(to, seen);
  return seen;
}

describe('the modules of the library', () => {
  test('each have their layer', () => {
    expect([...imports.keys()].filter((file) => layerOf(file) < 0)).toEqual([]);
  });

  test('import only what is there', () => {
    const missing = [...imports].flatMap(([file, list]) =>
      list
        .filter(({ to }) => to.endsWith('.ts') && !imports.has(to))
        .map(({ to }) => `${file} imports ${to}`),
    );
    expect(missing).toEqual([]);
  });

  test('import nothing of a layer above, not even a type', () => {
    const upward = [...imports].flatMap(([file, list]) =>
      list
        .filter(({ to }) => imports.has(to) && layerOf(to) > layerOf(file))
        .map(({ to }) => `${file} imports ${to}`),
    );
    expect(upward).toEqual([]);
  });

  test('reach the addon through one door', () => {
    const doors = [...imports].flatMap(([file, list]) =>
      list.some(({ to }) => to === 'bindings' || to.endsWith('.node')) ? [file] : [],
    );
    expect(doors).toEqual(['native.ts']);
    for (const file of imports.keys()) {
      if (file === 'native.ts') continue;
      expect([file, readFileSync(join(src, file), 'utf8')]).not.toEqual([
        file,
        expect.stringMatching(/createRequire|process\.dlopen|vdpa_host\.node/),
      ]);
    }
  });

  test('of policy and tracker load nothing native and do no I/O but by a store', () => {
    for (const file of imports.keys()) {
      if (!/^(policy|tracker)\//.test(file) || durableStore.test(file)) continue;
      const loaded = [...loadedWith(file)];
      expect(
        loaded.filter((to) =>
          /^(native|bindings|better-sqlite3|node:(fs|net|child_process))/.test(to),
        ),
      ).toEqual([]);
    }
  });

  test('reach SQLite through one door, which no module loads with the library', () => {
    const doors = [...imports].flatMap(([file, list]) =>
      list.some(({ to, loads }) => to === 'better-sqlite3' && loads) ? [file] : [],
    );
    expect(doors).toEqual(['tracker/sqlite-engine.ts']);
    expect([...loadedWith('tracker/sqlite-store.ts')]).not.toContain('tracker/sqlite-engine.ts');
  });

  test('load no zod, no store and no bindings with index.ts', () => {
    const loaded = loadedWith('index.ts');
    // Transitively: what opens a host comes later, by import().
    expect([...loaded]).toEqual(expect.arrayContaining(['vdpa-host.ts', 'host/pci-address.ts']));
    expect([...loaded]).not.toContain('host/reading.ts');
    expect([...loaded]).not.toContain('native.ts');
    expect([...loaded].filter((to) => !to.endsWith('.ts') && !to.startsWith('node:'))).toEqual([]);
  });

  test('of policy load nothing but each other and the error', () => {
    const loaded = [...loadedWith('policy/index.ts')];
    expect(loaded).toContain('policy/device-spec.ts');
    const others = loaded.filter((to) => !to.startsWith('policy/'));
    expect(others.toSorted()).toEqual(['errors.ts', 'host/mac-address.ts', 'host/pci-address.ts']);
    // They have an entrance of their own, so that who only watches a host does not load them.
    expect([...loadedWith('index.ts')].filter((to) => to.startsWith('policy/'))).toEqual([]);
  });

  test.each([
    'index.ts',
    'policy/index.ts',
    'tracker/index.ts',
    'guest/index.ts',
    'lifecycle/index.ts',
  ])('%s only re-exports', (file) => {
    const code = readFileSync(join(src, file), 'utf8');
    expect(code.replaceAll(/export (?:type )?\{[^}]*\} from '[^']+';/g, '').trim()).toBe('');
  });
});
