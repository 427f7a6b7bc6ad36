import { join } from 'node:path';
import type { GuestPlace, InstanceId } from 'vdpa-host';
import { type GuestEvent, QmpDriver } from 'vdpa-host/guest';

const kind = 'qmp:';
const suffix = '.qmp';

/** Where this host's guests are, for the library: each has a monitor that is the driver's alone. */
export class GuestPlaces {
  readonly #folder: string;
  readonly #driver: QmpDriver;

  constructor(folder: string) {
    this.#folder = folder;
    this.#driver = new QmpDriver({ monitor: join(folder, `{guest}${suffix}`) });
  }

  /** By what claims and operations keep a guest. */
  reference(guest: InstanceId): string {
    return `${kind}${join(this.#folder, guest)}${suffix}`;
  }

  of(guest: InstanceId): GuestPlace {
    return { driver: this.#driver, guest, reference: this.reference(guest) };
  }

  /** Null: it is no guest of this host. */
  readonly place = (reference: string): GuestPlace | null => {
    const before = `${kind}${this.#folder}/`;
    if (!reference.startsWith(before) || !reference.endsWith(suffix)) return null;
    const guest = reference.slice(before.length, -suffix.length);
    return guest === '' || guest.includes('/') ? null : this.of(guest as InstanceId);
  };

  events(): AsyncIterable<GuestEvent> {
    return this.#driver.events();
  }

  async close(): Promise<void> {
    await this.#driver.close();
  }
}
