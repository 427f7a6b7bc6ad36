import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../logger.js';
import type { Inventory } from './inventory.js';
import type { PciAddress } from './pci-address.js';
import { serialNumberOf } from './vital-product-data.js';

/** By the function that has them. */
export type SerialNumbers = ReadonlyMap<PciAddress, string>;

/** The most that a function's vital product data can be. */
const mostBytes = 32_768;

/**
 * The serial numbers of the cards. Cards answer that slowly, and only root: each function is asked
 * once for as long as it is there, and a VF only when its PF says nothing.
 */
export class CardSerials {
  readonly #root: string;
  readonly #logger: Logger | undefined;
  #known = new Map<PciAddress, string | null>();

  /** @param root as of `VdpaHost.open`; a capture has no serial numbers */
  constructor(root: string, logger?: Logger) {
    this.#root = root;
    this.#logger = logger;
  }

  /** Of the functions of an inventory. What cannot be read has none; that is logged once. */
  async of({ pfs, vfs, others }: Inventory): Promise<SerialNumbers> {
    const before = this.#known;
    const now = new Map<PciAddress, string | null>();
    const serial = async (address: PciAddress): Promise<string | null> => {
      const known = before.get(address);
      const read = known === undefined ? await this.#read(address) : known;
      now.set(address, read);
      return read;
    };
    for (const { address } of [...pfs, ...others]) await serial(address);
    for (const { address, pfAddress } of vfs) {
      if ((now.get(pfAddress) ?? null) === null) await serial(address);
    }
    this.#known = now;
    const found = new Map<PciAddress, string>();
    for (const [address, read] of now) if (read !== null) found.set(address, read);
    return found;
  }

  async #read(address: PciAddress): Promise<string | null> {
    const path = join(this.#root, 'sys/bus/pci/devices', address, 'vpd');
    try {
      // Whatever a captured root has there, opening it does not wait.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        if (!(await file.stat()).isFile()) return null;
        return serialNumberOf(await wholeOf(file));
      } finally {
        await file.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#logger?.warn({ err: error, pci: address }, "a card's serial number cannot be read");
      }
      return null;
    }
  }
}

async function wholeOf(file: Awaited<ReturnType<typeof open>>): Promise<Uint8Array> {
  const bytes = Buffer.alloc(mostBytes);
  let length = 0;
  while (length < mostBytes) {
    const { bytesRead } = await file.read(bytes, length, mostBytes - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}
