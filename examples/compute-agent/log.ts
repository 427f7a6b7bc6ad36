type Level = 'info' | 'warning' | 'error';

/** Has the form of the library's `Logger`, so that the library tells what it does in the same place. */
export class Log {
  readonly #host: string;
  readonly #write: (line: string) => void;

  constructor(host: string, write: (line: string) => void = (line) => process.stderr.write(line)) {
    this.#host = host;
    this.#write = write;
  }

  info(fields: object, event: string): void {
    this.#entry('info', event, fields);
  }

  warn(fields: object, event: string): void {
    this.#entry('warning', event, fields);
  }

  error(fields: object, event: string): void {
    this.#entry('error', event, fields);
  }

  #entry(level: Level, event: string, fields: object): void {
    const entry = { time: new Date().toISOString(), level, host: this.#host, event, ...fields };
    this.#write(`${JSON.stringify(entry, inFull)}\n`);
  }
}

/** An error's own fields are the library's `code`, `outcome`, `leftovers` and others. */
function inFull(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  const told = { ...value, name, message, ...(cause !== undefined && { cause }) };
  return 'code' in value ? told : { ...told, stack };
}
