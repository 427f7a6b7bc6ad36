import type { DeviceId } from '../host/device-id.js';
import { eachInTurns, type Pausing } from '../turns.js';
import type { ReportedDevice } from './reported-device.js';

export interface RetypeGraceOptions {
  /** Milliseconds that a VF is held back after it lost its last vDPA device. Default 10,000. */
  readonly graceMs?: number | undefined;
  /** Milliseconds of a clock that does not jump. Default: `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** Devices that were `vdpa` when they were last reported, before this process began. */
  readonly known?: Iterable<DeviceId> | undefined;
}

/**
 * A vDPA device that is deleted to be made anew leaves a plain VF for a moment. Who asks for a plain
 * VF must not get it: then the device would never come back. So a VF that loses its last vDPA device
 * stays a `vdpa` that nobody can have, with the reason `vdpa-gone`, until the grace is over and
 * nothing of our own is at work on it.
 */
export class RetypeGrace {
  readonly #graceMs: number;
  readonly #now: () => number;
  /** What was `vdpa` in the last report, or before that and less than the grace ago: null, or the time of the loss. */
  #since: Map<DeviceId, number | null>;
  #dueAt: number | null = null;

  constructor({
    graceMs = 10_000,
    now = () => performance.now(),
    known = [],
  }: RetypeGraceOptions = {}) {
    this.#graceMs = graceMs;
    this.#now = now;
    this.#since = new Map(Array.from(known, (id) => [id, null]));
  }

  /**
   * The report as the tracker is to have it. To be asked with every report, once each.
   *
   * @param atWork what our own changes are being made to, such as a provisioning; report anew when
   *   they end
   */
  *hold(
    report: readonly ReportedDevice[],
    atWork: ReadonlySet<DeviceId>,
  ): Pausing<ReportedDevice[]> {
    const now = this.#now();
    const before = this.#since;
    const since = new Map<DeviceId, number | null>();
    const held: ReportedDevice[] = [];
    let dueAt = Number.POSITIVE_INFINITY;
    yield* eachInTurns(report, (device) => {
      if (device.type === 'vdpa') since.set(device.id, null);
      // undefined: it had no vDPA device before.
      const lost = device.type === 'type-VF' ? before.get(device.id) : undefined;
      if (lost === undefined) {
        held.push(device);
        return;
      }
      const lostAt = lost ?? now;
      const due = lostAt + this.#graceMs;
      if (due <= now && !atWork.has(device.id)) {
        held.push(device);
        return;
      }
      since.set(device.id, lostAt);
      if (due > now) dueAt = Math.min(dueAt, due);
      held.push(withoutVdpa(device));
    });
    // A VF that is gone may be back before its vDPA device is: after a reload of its driver, say.
    for (const [id, lost] of before) {
      const lostAt = lost ?? now;
      const forgotten = lostAt + this.#graceMs <= now && !atWork.has(id);
      if (!since.has(id) && !forgotten) since.set(id, lostAt);
    }
    this.#since = since;
    this.#dueAt = dueAt === Number.POSITIVE_INFINITY ? null : dueAt;
    return held;
  }

  /** When a report would next come out otherwise although the host stays as it is, by the same clock; null: never. */
  get dueAt(): number | null {
    return this.#dueAt;
  }
}

/** What a plain VF says of itself in `capabilities`, a vDPA device does not. */
function withoutVdpa(device: ReportedDevice): ReportedDevice {
  const { capabilities: _, ...extra } = device.extra;
  return { ...device, type: 'vdpa', extra, reasons: ['vdpa-gone'] };
}
