import { mkdirSync, writeFileSync } from 'node:fs';

// QEMU and libvirt for whoever asks for their versions: those of the machine, if it has them, would
// take seconds for it in the lab. Guests are run by the lab's own QEMU.
const folder = '/tmp/lab-programs';
const said = {
  'qemu-system-x86_64': 'QEMU emulator version 7.2.19',
  libvirtd: 'libvirtd (libvirt) 9.0.0',
};

mkdirSync(folder, { recursive: true });
for (const [name, answer] of Object.entries(said)) {
  writeFileSync(`${folder}/${name}`, `#!/bin/sh\necho '${answer}'\n`, { mode: 0o755 });
}
if (!process.env['PATH']?.startsWith(`${folder}:`)) {
  process.env['PATH'] = `${folder}:${process.env['PATH']}`;
}
