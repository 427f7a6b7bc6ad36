import { VdpaError } from '../errors.js';
import { nativeError } from '../native-error.js';

/** How a device ended that was bound. */
interface BindingReport {
  readonly driver: string;
  /** "vhost-vdpa-3", or empty. */
  readonly nodeName: string;
  readonly major: number;
  readonly minor: number;
  /** NodeState of native/core/records.h. */
  readonly nodeState: number;
}

/** What the helper process tells of one change, line by line (native/helper/report.h). */
export class ChangeReport {
  /** In words: what is being asked or changed now. */
  activity = 'start';
  /** Whether that may change something. */
  #changing = false;
  readonly #changed = new Set<string>();
  #undone = false;
  #end: readonly string[] | undefined;
  #binding: BindingReport | undefined;

  /** Takes one line, without its newline. */
  add(line: string): void {
    const [word = '', ...fields] = line.split('\t').map(unescaped);
    const [first = '', second = '', third = '', fourth = '', fifth = ''] = fields;
    switch (word) {
      case 'look':
      case 'step':
        this.activity = first;
        this.#changing = word === 'step';
        break;
      case 'changed':
        this.#changed.add(first);
        this.#changing = false;
        break;
      case 'undone':
        this.#undone = this.#changed.delete(first) || this.#undone;
        this.#changing = false;
        break;
      case 'bound':
        this.#binding = {
          driver: first,
          nodeName: second,
          major: Number(third),
          minor: Number(fourth),
          nodeState: Number(fifth),
        };
        break;
      default:
        this.#end ??= [word, ...fields];
    }
  }

  /** Whether the helper has said how it ended. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  get binding(): BindingReport | undefined {
    return this.#binding;
  }

  /**
   * What the report amounts to.
   *
   * @param what was asked for, in words: `delete vdpa0`
   * @param silent why no end was told, when none was
   * @returns undefined when it was done
   */
  failure(what: string, silent: 'stuck' | 'died' = 'died'): VdpaError | undefined {
    const [word = silent, ...fields] = this.#end ?? [];
    if (word === 'done') return undefined;
    if (word === 'refused') return this.#refusal(fields);
    if (word === 'failed') return this.#error(what, fields);
    const leftovers = [...this.#changed];
    const known = this.#changing ? 'unknown' : leftovers.length > 0 ? 'partial' : 'unchanged';
    const details = { step: this.activity, outcome: known, retry: 'later', leftovers } as const;
    return word === 'stuck'
      ? new VdpaError(
          'KERNEL_TIMEOUT',
          `${what}: time is up, and the kernel is still at it (${this.activity}): a driver, or ` +
            'whoever holds a device of this host open, keeps it waiting',
          details,
        )
      : new VdpaError(
          'CHANGE_INTERRUPTED',
          `${what}: the process that made the change was ended in the middle (${this.activity}): do it again`,
          details,
        );
  }

  #refusal([why = '', name = '', detail = '']: readonly string[]): VdpaError {
    const outcome = this.#outcome();
    const details = { step: this.activity, leftovers: [...this.#changed], outcome } as const;
    switch (why) {
      case 'busy':
        return new VdpaError(
          'DEVICE_BUSY',
          `${name}: its char device is open, ` +
            `${detail === '' ? 'by a process that can not be seen from here' : `by ${detail}`}: ` +
            'detach it from its guest, or end that process',
          { ...details, errno: 'EBUSY', retry: 'later' },
        );
      case 'leaving':
        return new VdpaError(
          'DEVICE_BUSY',
          `${name}: somebody is unbinding it while its char device is open: that ends when the holder lets go`,
          { ...details, retry: 'later' },
        );
      case 'passed':
        return new VdpaError(
          'DEVICE_BUSY',
          `${name}: it is bound to vfio-pci, for a guest as a rule: unbind it there`,
          details,
        );
      case 'host-use':
        return new VdpaError(
          'DEVICE_IN_HOST_USE',
          `${name}: the host itself uses it, by the driver ${detail}: only force takes it away`,
          details,
        );
      case 'unmanaged':
        return new VdpaError(
          'NOT_SUPPORTED',
          `${name}: its driver made it, without a management device: it goes only with its VF`,
          { ...details, retry: 'never' },
        );
      case 'gone':
        return new VdpaError('DEVICE_NOT_FOUND', `${name}: it is not there, or no longer`, {
          ...details,
          retry: 'later',
        });
      case 'no-node':
        return new VdpaError(
          'CHAR_DEVICE_MISSING',
          `${name}: ${detail} is not there, so whether somebody holds the device cannot be told: make the node visible`,
          details,
        );
      case 'node-mismatch':
        return new VdpaError(
          'CHAR_DEVICE_MISMATCH',
          `${name}: ${detail} is not its char device, so whether somebody holds it cannot be told: remove the stale file`,
          details,
        );
      case 'reserved':
        return new VdpaError(
          'DEVICE_RESERVED',
          `${name}: its driver_override reserves it for ${detail}: clear that first`,
          details,
        );
      default:
        return new VdpaError(
          'DEVICE_CHANGED',
          `${name}: somebody else is changing it at the same time`,
          { ...details, retry: 'later' },
        );
    }
  }

  #error(what: string, [fault, errno, op = '', message = '']: readonly string[]): VdpaError {
    const error = nativeError(Number(fault), op, Number(errno), message, null);
    return new VdpaError(error.code, `${what}: ${error.message}`, {
      errno: error.errno,
      extack: error.extack,
      step: error.step,
      retry: error.retry,
      outcome: error.outcome === 'unknown' ? 'unknown' : this.#outcome(),
      leftovers: [...this.#changed],
    });
  }

  #outcome(): 'unchanged' | 'undone' | 'partial' {
    return this.#changed.size > 0 ? 'partial' : this.#undone ? 'undone' : 'unchanged';
  }
}

function unescaped(field: string): string {
  return field.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
