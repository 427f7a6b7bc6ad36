import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processes by the name of their program, from /proc: `ps` with a sanitiser's library in it hangs.
 *
 * @param program as the kernel has it: its first 15 characters
 * @param parent of which process they are children; default of any
 */
export function processesOf(program: string, parent?: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const [, name, ppid] = /\((.*)\) \S+ (\d+)/s.exec(statOf(pid)) ?? [];
      return name === program && (parent === undefined || Number(ppid) === parent);
    });
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
}
