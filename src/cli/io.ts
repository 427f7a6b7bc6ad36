/** The part of a writable stream that the command uses. */
interface TextSink {
  /** @param taken called once the text has been passed on, or never can be */
  write(text: string, taken?: () => void): unknown;
}

/** Everything the command may touch of the process it runs in. */
export interface CliIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Whether stdout is a terminal. */
  readonly isTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Width of the terminal; undefined when there is none. */
  readonly columns: number | undefined;
  /** The clock; default the machine's. */
  readonly now?: (() => Date) | undefined;
  /** Asks the person at the terminal and waits for yes or no; undefined when there is none. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined;
  /** Ends the command early; its reason is an `Interruption`. */
  readonly signal?: AbortSignal | undefined;
}

/** 0 fine, 1 failed or found errors, 2 usage, 128 + n ended by signal n. */
export type ExitCode = number;

/** Why the command ends before it is done: a signal, or nobody reads its output any more. */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}
