import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Attributes, attributes, dump, genericMessage, message } from './netlink-bytes.js';

const family = 0x1c;
const getFamilyReply = 1;
const newLink = 16;
const allCommands = [2, 3, 4, 5, 6, 7, 8];

/** What one kernel's `vdpa` family says of itself. */
export interface CapturedAbi {
  /** CTRL_ATTR_MAXATTR: 37 is Linux 6.9 or later, 22 is Linux 6.1. */
  readonly maxAttribute?: number;
  readonly commands?: readonly number[];
}

/** The `netlink/` directory of a captured host, written anew with everything added to it. */
export class NetlinkRecording {
  readonly #directory: string;
  readonly #management: Attributes[] = [];
  readonly #devices = new Map<string, Attributes>();
  readonly #links: Buffer[] = [];

  constructor(root: string, { maxAttribute = 37, commands = allCommands }: CapturedAbi = {}) {
    this.#directory = join(root, 'netlink');
    mkdirSync(this.#directory);
    const operations = attributes(
      commands.map((command, index) => [index + 1, { bytes: attributes([[1, { u32: command }]]) }]),
    );
    this.write(
      'getfamily',
      genericMessage(0x10, getFamilyReply, [
        [2, { text: 'vdpa' }],
        [1, { u16: family }],
        [3, { u32: 1 }],
        [4, { u32: 0 }],
        [5, { u32: maxAttribute }],
        [6, { bytes: operations }],
      ]),
    );
    this.#writeDumps();
  }

  /** A file of the recording as it stands, for answers that no kernel would give. */
  write(name: string, bytes: Buffer): void {
    writeFileSync(join(this.#directory, `${name}.bin`), bytes);
  }

  management(list: Attributes): void {
    this.#management.push(list);
    this.#writeDumps();
  }

  device(name: string, list: Attributes): void {
    this.#devices.set(name, list);
    this.#writeDumps();
  }

  forgetDevice(name: string): void {
    this.#devices.delete(name);
    this.#writeDumps();
  }

  link(ifindex: number, list: Attributes): void {
    const header = Buffer.alloc(16);
    header.writeInt32LE(ifindex, 4);
    this.#links.push(message(newLink, 2, Buffer.concat([header, attributes(list)])));
    this.#writeDumps();
  }

  /** The reply of DEV_CONFIG_GET. */
  config(name: string, list: Attributes): void {
    this.write(`config-${name}`, genericMessage(family, 6, [[4, { text: name }], ...list]));
  }

  /** The reply of DEV_VSTATS_GET. */
  vendorStats(name: string, queueIndex: number, list: Attributes): void {
    this.write(
      `vstats-${name}-${queueIndex}`,
      genericMessage(family, 7, [[4, { text: name }], ...list, [17, { u32: queueIndex }]]),
    );
  }

  /** The refusal of a request about a device: `config-vdpa0`, `vstats-vdpa0-1`. */
  refuse(name: string, errno: number, words = ''): void {
    const body = Buffer.alloc(20);
    body.writeInt32LE(-errno, 0);
    body.writeUInt32LE(16, 4);
    const extended = words === '' ? Buffer.alloc(0) : attributes([[1, { text: words }]]);
    const capped = 0x100;
    const withWords = 0x200;
    this.write(name, message(2, capped | withWords, Buffer.concat([body, extended])));
  }

  #writeDumps(): void {
    const messages = (lists: Iterable<Attributes>, command: number): Buffer =>
      dump([...lists].map((list) => (flags) => genericMessage(family, command, list, flags)));
    this.write('mgmtdev-dump', messages(this.#management, 1));
    this.write('dev-dump', messages(this.#devices.values(), 3));
    this.write('link-dump', Buffer.concat([...this.#links, message(3, 2, Buffer.alloc(4))]));
  }
}
