import { readdir, readFile, readlink, stat } from 'node:fs/promises';

/**
 * Who has which char device open, as far as /proc shows: by device number (`stat`'s rdev), in words
 * such as `qemu-system-x86 (pid 4711)`. Opens nothing. Root of the initial PID namespace sees every
 * process; others see fewer, so that only the kernel's own answer, at the change, is the last word.
 */
export async function nodeHolders(wanted: ReadonlySet<number>): Promise<Map<number, string>> {
  const holders = new Map<number, string>();
  if (wanted.size === 0) return holders;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`;
    // Ended meanwhile, or not ours to look into.
    const descriptors = await readdir(folder).catch(() => []);
    for (const descriptor of descriptors) {
      const number = await charDeviceNumber(`${folder}/${descriptor}`);
      if (number === null || !wanted.has(number) || holders.has(number)) continue;
      holders.set(number, `${await commandOf(pid)} (pid ${pid})`);
    }
  }
  return holders;
}

/** The link's text comes first: a stat of a file on a dead file server never answers. */
async function charDeviceNumber(path: string): Promise<number | null> {
  try {
    if (!(await readlink(path)).startsWith('/dev/')) return null;
    const entry = await stat(path);
    return entry.isCharacterDevice() ? entry.rdev : null;
  } catch {
    return null;
  }
}

async function commandOf(pid: string): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a process')).trim();
}
