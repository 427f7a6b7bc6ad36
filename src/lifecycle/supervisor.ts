import { VdpaError } from '../errors.js';
import { notifySupervisor } from '../native.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The supervisor of this service, systemd or who speaks its protocol (sd_notify), as the environment
 * names it. Without one nothing is told and nobody is waited for. A supervisor that cannot be told is
 * no reason to stop serving: it decides by what it hears.
 */
export class Supervisor implements Disposable {
  readonly #socket: string | null;
  readonly #watchdog: NodeJS.Timeout | null;

  /** Tells a watchdog that is ours twice in its time, from now on. */
  constructor(environment: Environment = process.env) {
    this.#socket = environment['NOTIFY_SOCKET'] || null;
    const everyMs = watchdogMs(environment);
    if (this.#socket === null || everyMs === null) {
      this.#watchdog = null;
    } else {
      this.#watchdog = setInterval(() => this.#tell('WATCHDOG=1'), everyMs / 2);
      this.#watchdog.unref();
    }
  }

  /** The service is up. @returns whether the supervisor was told */
  ready(): boolean {
    return this.#tell('READY=1');
  }

  /** The service is ending. @returns as `ready` */
  stopping(): boolean {
    return this.#tell('STOPPING=1');
  }

  /** What the service is at, in a line for people. @returns as `ready` */
  status(text: string): boolean {
    // Another line would be another assignment.
    return this.#tell(`STATUS=${text.replaceAll(/[\0\r\n]+/g, ' ')}`);
  }

  /** The watchdog is told no more. */
  [Symbol.dispose](): void {
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
  }

  #tell(message: string): boolean {
    if (this.#socket === null) return false;
    try {
      notifySupervisor(this.#socket, message);
      return true;
    } catch (error) {
      if (error instanceof VdpaError) return false;
      throw error;
    }
  }
}

/** The time in which a watchdog wants to be told; null when there is none, or it is another process's. */
function watchdogMs(environment: Environment): number | null {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = environment;
  if (pid !== undefined && pid !== `${process.pid}`) return null;
  const ms = Number(usec) / 1000;
  return ms > 0 && ms < 2 ** 31 ? ms : null;
}
