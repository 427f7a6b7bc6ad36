import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const long = process.env['VDPA_HOST_TEST'] === 'long';

const insideLab = {
  setupFiles: 'test/support/lab-programs.ts',
  testTimeout: long ? 1_800_000 : 180_000,
  hookTimeout: long ? 1_800_000 : 180_000,
  fileParallelism: false,
  isolate: false,
  pool: 'forks',
} as const;

/** A test's time limit is for what hangs; a machine may be five times slower than usual. */
const onBusyMachine = { testTimeout: 60_000, hookTimeout: 60_000 } as const;

const faked = 'test/unit/faked/*.test.ts';

/** The example imports the package as others do; its units meet the library's sources, not what is built. */
const ownSources = [
  { find: /^vdpa-host$/, replacement: join(import.meta.dirname, 'src/index.ts') },
  { find: /^vdpa-host\/(\w+)$/, replacement: join(import.meta.dirname, 'src/$1/index.ts') },
];

export default defineConfig({
  test: {
    projects: [
      // They share the modules that they import, all but those that put another in the place of one.
      {
        resolve: { alias: ownSources },
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          exclude: [faked],
          isolate: false,
          ...onBusyMachine,
        },
      },
      { test: { name: 'unit-faked', include: [faked], ...onBusyMachine } },
      { test: { name: 'conformance', include: ['test/conformance/*.test.ts'], ...onBusyMachine } },
      { test: { name: 'addon', include: ['test/addon/**/*.test.ts'], ...onBusyMachine } },
      // Boots the lab from outside: tests of the lab itself, and of what survives its end.
      {
        test: {
          name: 'lab-runner',
          include: ['test/lab-runner/*.test.ts'],
          testTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'lab-runner-qemu',
          include: ['test/lab-runner/qemu/*.test.ts'],
          testTimeout: 300_000,
          fileParallelism: false,
        },
      },
      // Run inside the lab's kernel: one processor, so one file after the other.
      { test: { name: 'lab', include: ['test/lab/*.test.ts'], ...insideLab } },
      { test: { name: 'lab-guest', include: ['test/lab/guest/*.test.ts'], ...insideLab } },
      // Libvirt's daemon takes its time there.
      {
        test: {
          name: 'lab-libvirt',
          include: ['test/lab/libvirt/*.test.ts'],
          ...insideLab,
          testTimeout: long ? 1_800_000 : 600_000,
          hookTimeout: 600_000,
        },
      },
      { test: { name: 'lab-scale', include: ['test/lab/scale/*.test.ts'], ...insideLab } },
      // Inside the machine in QEMU, which is slower by far.
      {
        test: {
          name: 'lab-qemu',
          include: ['test/lab/qemu/*.test.ts'],
          ...insideLab,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, include: ['test/types/**/*.test-d.ts'] },
        },
      },
    ],
  },
});
