import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';

/** A program that tells its version. */
export interface FoundProgram {
  /** Without its folder. */
  readonly name: string;
  /** Numbers and dots; null when it told none. */
  readonly version: string | null;
  /** Whether it was ended before it was done. */
  readonly timedOut: boolean;
}

/** What runs guests on this machine; null for what was not found. */
export interface GuestSoftware {
  readonly qemu: FoundProgram | null;
  readonly libvirt: FoundProgram | null;
}

interface Wanted {
  /** The first that is found is asked. */
  readonly names: readonly string[];
  readonly version: RegExp;
}

/** QEMU's names for what Node calls otherwise. */
const architectures: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  ia32: 'i386',
  loong64: 'loongarch64',
};

const qemu: Wanted = {
  // qemu-kvm is what RHEL has, in /usr/libexec.
  names: [`qemu-system-${architectures[process.arch] ?? process.arch}`, 'qemu-kvm'],
  version: /^QEMU emulator version (\d+(?:\.\d+)+)/m,
};
const libvirt: Wanted = {
  names: ['libvirtd', 'virtqemud'],
  version: /\(libvirt\) (\d+(?:\.\d+)+)/,
};

/** A busy machine may take seconds. */
const timeLimitMs = 10_000;
/** A version takes a line or two. */
const mostCharacters = 4096;

/**
 * Asks QEMU and libvirt for their versions: runs each with `--version`, without a shell, and ends
 * what takes longer than the limit. Never rejects.
 *
 * @param folders where the programs are looked for, in this order
 */
export async function guestSoftware(
  signal: AbortSignal | undefined,
  folders = programFolders(process.env['PATH'] ?? ''),
  limitMs = timeLimitMs,
): Promise<GuestSoftware> {
  const limit = AbortSignal.timeout(limitMs);
  const end = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  const ask = async ({ names, version }: Wanted): Promise<FoundProgram | null> => {
    const found = await find(names, folders);
    if (found === null) return null;
    const said = await answerOf(found.path, end);
    return {
      name: found.name,
      version: version.exec(said ?? '')?.[1] ?? null,
      timedOut: said === null,
    };
  };
  const [foundQemu, foundLibvirt] = await Promise.all([ask(qemu), ask(libvirt)]);
  return { qemu: foundQemu, libvirt: foundLibvirt };
}

/** Those of PATH, without relative ones, and where distributions put such programs. */
export function programFolders(path: string): readonly string[] {
  return [...path.split(':').filter(isAbsolute), '/usr/sbin', '/usr/libexec'];
}

async function find(
  names: readonly string[],
  folders: readonly string[],
): Promise<{ readonly name: string; readonly path: string } | null> {
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (await isProgram(path)) return { name, path };
    }
  }
  return null;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** What it says; null when it was not done in time. What cannot be started says nothing. */
function answerOf(program: string, end: AbortSignal): Promise<string | null> {
  const child = end.aborted ? null : started(program);
  return new Promise((resolve) => {
    if (child === null) return resolve(end.aborted ? null : '');
    let text = '';
    const settle = (answer: string | null): void => {
      end.removeEventListener('abort', cut);
      child.stdout?.destroy();
      resolve(answer);
    };
    const cut = (): void => {
      endGroup(child.pid);
      settle(null);
    };
    end.addEventListener('abort', cut);
    child.once('error', () => settle(''));
    child.once('close', () => settle(text));
    child.stdout?.setEncoding('utf8').on('data', (more: string) => {
      if (text.length < mostCharacters) text += more;
    });
  });
}

function started(program: string): ChildProcess | null {
  try {
    // Of a group of its own, so that what a wrapper starts ends with it.
    return spawn(program, ['--version'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
      cwd: '/',
    });
  } catch {
    return null;
  }
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
