import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensurePackages } from '../../../scripts/apt.mjs';

const folder = fileURLToPath(new URL('../../../systemd', import.meta.url));
const unit = 'vdpa-host-provision.service';
const target = 'vdpa-host-provisioned.target';
const agent = 'vdpa-host-agent.service';
let copy: string;

beforeAll(() => {
  ensurePackages(['systemd'], 'checking the systemd units');
  copy = mkdtempSync(join(tmpdir(), 'vdpa-host-units-'));
  cpSync(folder, copy, { recursive: true });
}, 300_000);
afterAll(() => rmSync(copy, { recursive: true, force: true }));

function verified(where: string): { status: number | null; output: string } {
  const files = [unit, target, agent].map((name) => join(where, name));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...files], {
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

describe('the units', () => {
  test('are such as systemd takes without a word', () => {
    expect(verified(folder)).toEqual({ status: 0, output: '' });
    // And it would have one to say.
    const text = readFileSync(join(copy, unit), 'utf8');
    writeFileSync(join(copy, unit), text.replace('TimeoutStartSec=', 'TimeoutStartSecs='));
    expect(verified(copy).output).toContain('TimeoutStartSecs');
  });

  test('put modules and udev before provisioning, and that before the target', () => {
    const text = readFileSync(join(folder, unit), 'utf8');
    expect(text).toMatch(/^After=systemd-modules-load\.service systemd-udevd\.service/m);
    expect(text).toMatch(new RegExp(`^Before=${target}$`, 'm'));
    expect(readFileSync(join(folder, target), 'utf8')).toMatch(
      new RegExp(`^Requires=${unit}$`, 'm'),
    );
  });
});

test('the udev rule runs the program that is installed, at the bind event', () => {
  const rule = readFileSync(join(folder, '90-vdpa-host.rules'), 'utf8');
  expect(rule).toMatch(
    /^SUBSYSTEM=="vdpa", ACTION=="bind", ENV\{DRIVER\}=="vhost_vdpa", RUN\+="(\S+) %p"$/m,
  );
  expect(statSync(join(folder, 'vdpa-host-node')).mode & 0o111).toBe(0o111);
});

test('docs/provisioning.md shows docs/provision.json, and installs every file of systemd/', () => {
  const read = (name: string) => readFileSync(join(folder, '../docs', name), 'utf8');
  const document = read('provisioning.md');
  expect(/^```json\n(.*?)^```$/ms.exec(document)?.[1]).toBe(read('provision.json'));
  for (const name of [
    unit,
    target,
    '90-vdpa-host.rules',
    'vdpa-host-node',
    'vdpa-host.modules.conf',
  ]) {
    expect(document).toMatch(new RegExp(`^install .*${name}`, 'm'));
  }
});

test('docs/agent.md installs the agent, which starts after what is declared', () => {
  const document = readFileSync(join(folder, '../docs/agent.md'), 'utf8');
  expect(document).toMatch(new RegExp(`^install .*${agent}`, 'm'));
  const text = readFileSync(join(folder, agent), 'utf8');
  expect(text).toMatch(new RegExp(`^After=${target}`, 'm'));
  expect(text).toMatch(/^Type=notify$/m);
});
