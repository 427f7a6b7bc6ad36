/** The command line itself is wrong. One line, without the name of the program. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** The command whose help would say more; null before one is known. */
  readonly command: string | null;

  constructor(message: string, command: string | null = null) {
    super(message);
    this.command = command;
  }
}
