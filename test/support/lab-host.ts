import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import { processesOf } from './processes.js';

/** What tests do to the lab's kernel, through sysfs and iproute2: never through the library itself. */

if (process.env['VDPA_LAB'] !== '1') throw new Error('these tests run inside the lab: npm test');

const vdpaBus = '/sys/bus/vdpa';
export const pfA = '0000:11:00.0';
export const pfB = '0000:13:00.0';
export { long } from './test-length.js';

export function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What iproute2 says, as it says it. */
export function vdpaJson(...args: readonly string[]): Record<string, Record<string, unknown>> {
  return JSON.parse(run('vdpa', '-j', ...args));
}

export function enableVfs(pf: string, count: number): void {
  writeFileSync(`/sys/bus/pci/devices/${pf}/sriov_numvfs`, `${count}`);
}

/** Address of a PF's VF on the lab's NIC, whose VFs follow their PF one by one. */
export function vfOf(pf: string, index: number): string {
  const number = index + 1;
  return `${pf.slice(0, 8)}${(number >> 3).toString(16).padStart(2, '0')}.${number & 7}`;
}

export function addDevice(name: string, management: string, ...attributes: string[]): void {
  run('vdpa', 'dev', 'add', 'name', name, 'mgmtdev', management, ...attributes);
}

export function deleteDevice(name: string): void {
  run('vdpa', 'dev', 'del', name);
}

export function bind(name: string, driver: 'vhost_vdpa' | 'virtio_vdpa'): void {
  writeFileSync(`${vdpaBus}/drivers/${driver}/bind`, name);
}

export function unbind(name: string, driver: 'vhost_vdpa' | 'virtio_vdpa'): void {
  writeFileSync(`${vdpaBus}/drivers/${driver}/unbind`, name);
}

/** Takes everything away that a test made: devices first, then VFs. */
export function reset(): void {
  if (existsSync(`${vdpaBus}/devices`)) {
    for (const name of readdirSync(`${vdpaBus}/devices`)) deleteDevice(name);
  }
  for (const address of readdirSync('/sys/bus/pci/devices')) {
    const file = `/sys/bus/pci/devices/${address}/sriov_numvfs`;
    if (existsSync(file) && readFileSync(file, 'utf8').trim() !== '0') writeFileSync(file, '0');
  }
  // One that was made by hand stays when its device goes, and the next device's would be it.
  for (const name of readdirSync('/dev')) {
    if (/^vhost-vdpa-\d+$/.test(name)) rmSync(`/dev/${name}`);
  }
}

/** Each test of the file begins on a bare host, and none makes the kernel complain. */
export function eachOnBareHost(): void {
  beforeEach(() => reset());
  afterEach(() => {
    reset();
    expect(kernelComplaints()).toEqual([]);
  });
}

/** The kernel's warnings and worse since the last look; empty when all is well. */
export function kernelComplaints(): string[] {
  return run('dmesg', '--read-clear')
    .split('\n')
    .filter((line) => /WARNING:|BUG:|Oops|Call Trace|refcount/.test(line));
}

/** What a call rejects with; "done" when it does not. */
export function failed(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'done',
    (error: unknown) => error,
  );
}

/** Writes a parameter of the software NIC: a fault, or the removal of a PF. */
export function nicParameter(name: string, value: number): void {
  writeFileSync(`/sys/module/labnic/parameters/${name}`, `${value}`);
}

/** A delay of the NIC, in ms, for what takes until the test makes it 0: no test waits that long. */
export const untilMadeZero = 600_000;

export function nicParameterValue(name: string): string {
  return readFileSync(`/sys/module/labnic/parameters/${name}`, 'utf8').trim();
}

/** What the NIC was loaded with. */
export function nicParameters(): readonly string[] {
  return ['npf', 'totalvfs', 'domain', 'numa'].map((name) => `${name}=${nicParameterValue(name)}`);
}

export function loadNic(parameters: readonly string[]): void {
  run('modprobe', 'labnic', ...parameters);
}

export function deviceNames(): string[] {
  return readdirSync(`${vdpaBus}/devices`).sort();
}

/** The id under which the kernel has the netlink family now. */
export function familyId(): string {
  return /ID: (0x[0-9a-f]+)/.exec(run('genl', 'ctrl', 'get', 'name', 'vdpa'))?.[1] ?? '';
}

export function exists(path: string): boolean {
  return existsSync(path);
}

/** Waits, without blocking the loop, until it is so; the test's own time limit ends a wait in vain. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await setTimeout(5);
}

export function start(command: string, ...args: readonly string[]): ChildProcess {
  return spawn(command, args, { stdio: 'ignore' });
}

/** The command line that runs a module's text. */
export function nodeScript(text: string): readonly string[] {
  return [process.execPath, '--input-type=module', '-e', text];
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Stops a process, and resolves when it runs no more. */
export async function stopped(child: ChildProcess): Promise<void> {
  child.kill('SIGSTOP');
  await until(() => /^State:\s*T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
}

/** Whether a process is there and sleeps in the kernel in a way that no signal ends. */
export function sleepsInKernel(pid: number | undefined): boolean {
  try {
    return /^State:\s*D/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // it has ended meanwhile
  }
}

/** Threads of this very process that the kernel keeps. */
export function threadsInKernel(): number {
  return readdirSync('/proc/self/task').filter((thread) => sleepsInKernel(Number(thread))).length;
}

/** Opens a char device in another process and keeps it open. */
export async function hold(path: string): Promise<ChildProcess> {
  const holder = spawn('bash', ['-c', `exec 9<>${path} && echo held && exec sleep 1000`]);
  await once(holder.stdout, 'data');
  return holder;
}

export async function letGo(holder: ChildProcess): Promise<void> {
  holder.kill('SIGKILL');
  await ended(holder);
}

/** A process that has a char device open, and can be asked whether it still answers there. */
export interface AskableHolder {
  readonly pid: number;
  /** The virtio id that the device tells its holder (an ioctl), or the error. */
  deviceId(): Promise<string>;
  letGo(): Promise<void>;
}

const askableScript = `
  use Fcntl; $| = 1;
  sysopen(my $device, $ARGV[0], O_RDWR) or die "$!";
  print "held\\n";
  while (<STDIN>) {
    my $id = "\\0" x 4;
    print ioctl($device, 0x8004AF70, $id) ? unpack("L", $id) : "$!", "\\n";
  }`;

export async function holdAskable(path: string): Promise<AskableHolder> {
  const holder = spawn('perl', ['-e', askableScript, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('held');
  return {
    pid: holder.pid ?? 0,
    async deviceId() {
      holder.stdin.write('\n');
      return (await lines.next()).value;
    },
    letGo: () => letGo(holder),
  };
}

/** Whether the kernel's vDPA commands are answered: one that waits for a lock would not end. */
export function vdpaAnswers(): boolean {
  return spawnSync('vdpa', ['dev', 'show'], { timeout: 20_000 }).status === 0;
}

/** Processes of the program that makes changes. */
export function helpers(): number[] {
  return processesOf('vdpa_host_helpe');
}

export function driverOf(name: string): string | null {
  const link = `${vdpaBus}/devices/${name}/driver`;
  return existsSync(link) ? basename(readlinkSync(link)) : null;
}

export function reservationOf(name: string): string {
  return readFileSync(`${vdpaBus}/devices/${name}/driver_override`, 'utf8').trim();
}

export function reserve(name: string, driver: string): void {
  writeFileSync(`${vdpaBus}/devices/${name}/driver_override`, `${driver}\n`);
}

/** The number of the char device below a device. */
export function charNodeOf(name: string): string {
  const node = readdirSync(`${vdpaBus}/devices/${name}`).find((e) => e.startsWith('vhost-vdpa-'));
  return `/dev/${node}`;
}

/** Meanwhile every write to the file fails, as a driver's refusal would: with ENOSPC. */
export async function withFullFile(path: string, work: () => Promise<void>): Promise<void> {
  run('mount', '--bind', '/dev/full', path);
  try {
    await work();
  } finally {
    run('umount', path);
  }
}

/** Meanwhile whoever writes to the file waits, until `letThrough`: then to nowhere. */
export async function withHeldFile(
  path: string,
  work: (letThrough: () => number) => Promise<void>,
): Promise<void> {
  const fifo = '/tmp/held';
  run('mkfifo', fifo);
  run('mount', '--bind', fifo, path);
  let reader: number | undefined;
  const letThrough = () => {
    reader ??= openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    return reader;
  };
  try {
    await work(letThrough);
  } finally {
    letThrough();
    await until(() => helpers().length === 0);
    closeSync(letThrough());
    run('umount', path);
    rmSync(fifo);
  }
}

export function autoprobe(on: boolean): void {
  writeFileSync(`${vdpaBus}/drivers_autoprobe`, on ? '1' : '0');
}
