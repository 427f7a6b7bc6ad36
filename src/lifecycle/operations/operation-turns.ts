import { KeyedTurns } from '../../keyed-turns.js';
import { assertForm } from '../../tracker/arguments.js';
import type { InstanceId } from '../../tracker/claim.js';
import { abortSignal, callable, from, name, optional, shape } from '../../tracker/form.js';
import type { GuestPlace } from '../guest-place.js';
import { type Operating, type OperationOptions, placeOf } from './operating.js';

export const operationOptions = shape<OperationOptions>({
  signal: optional(abortSignal),
  timeoutMs: optional(from(1)),
  onStep: optional(callable),
});
const ofInstance = shape<{ instance: InstanceId }>({ instance: name });
const ofGuest = shape<{ instance: InstanceId; guest: string }>({ instance: name, guest: name });

/** Calls about one instance follow one another; those about others go on beside them. */
export class OperationTurns {
  readonly operating: Operating;
  readonly #turns = new KeyedTurns();

  constructor(operating: Operating) {
    this.operating = operating;
  }

  async of<T>(
    instance: InstanceId,
    signal: AbortSignal | undefined,
    work: (operating: Operating) => Promise<T>,
  ): Promise<T> {
    return await this.#turns.run([instance], signal, () => work(this.operating));
  }

  /** @throws {TypeError} naming the key that is unknown or has the wrong form */
  async ofInstance<T>(
    call: string,
    instance: InstanceId,
    options: OperationOptions,
    work: (operating: Operating) => Promise<T>,
  ): Promise<T> {
    assertForm(call, ofInstance, { instance });
    assertForm(call, operationOptions, options);
    return await this.of(instance, options.signal, work);
  }

  /**
   * @throws {TypeError} naming the key that is unknown or has the wrong form
   * @throws {VdpaError} `GUEST_NOT_FOUND`
   */
  async ofGuest<T>(
    call: string,
    instance: InstanceId,
    guest: string,
    options: OperationOptions,
    work: (place: GuestPlace, operating: Operating) => Promise<T>,
  ): Promise<T> {
    assertForm(call, ofGuest, { instance, guest });
    assertForm(call, operationOptions, options);
    const place = placeOf(this.operating, guest);
    return await this.of(instance, options.signal, (operating) => work(place, operating));
  }
}
