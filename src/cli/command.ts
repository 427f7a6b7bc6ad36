import type { HostOptions, HostWatch, VdpaHost, WatchOptions } from '../index.js';
import type { ClaimDesk } from '../lifecycle/claim-desk.js';
import type { Config } from '../lifecycle/config.js';
import type { GuestDesk } from '../lifecycle/guest-desk.js';
import type { ClaimReader } from '../lifecycle/read-claims.js';
import type { StoreCheck } from '../tracker/store-check.js';
import type { ServeOptions } from './claim-services.js';
import type { Document } from './documents/document.js';
import type { ExitCode } from './io.js';
import type { Terminal } from './view/terminal.js';

/** One option, in the form of `util.parseArgs` with what the help says of it. */
interface CommandOption {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  readonly multiple?: boolean;
  /** Name of the value in the help: `DIR`. */
  readonly value?: string;
  readonly help: string;
}

export type CommandOptions = Readonly<Record<string, CommandOption>>;
export type OptionValue = string | boolean | readonly (string | boolean)[] | undefined;

/** What a command that follows a host needs of its watch. */
export type HostFollower = Pick<HostWatch, 'inventory' | 'close' | typeof Symbol.asyncIterator>;

/** What reading commands need of a host. */
export interface HostReader
  extends Pick<
    VdpaHost,
    | 'inventory'
    | 'deviceConfig'
    | 'driverOverride'
    | 'health'
    | 'queueStats'
    | 'preflight'
    | 'capture'
    | 'close'
  > {
  watch(options: WatchOptions): Promise<HostFollower>;
}

/** What changing commands need of a host besides. */
export type HostChanger = Pick<
  VdpaHost,
  'createDevice' | 'deleteDevice' | 'setMac' | 'bindDriver' | 'enableVfs' | 'provision'
>;

/** What a command prints at once: one of the two, whichever was asked for. */
interface CommandResult {
  readonly document: () => Document;
  readonly lines: () => readonly string[];
}

/** What a command is given to work with. */
export interface CommandContext {
  /** As many as `positionals` allows. */
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, OptionValue>>;
  readonly json: boolean;
  /** The options for `VdpaHost.open`, checked. */
  readonly hostOptions: HostOptions;
  readonly terminal: Terminal;
  readonly signal: AbortSignal | undefined;
  /** Opens the host at the first call; it is closed after the command. */
  host(): Promise<HostReader & HostChanger>;
  /** The configuration that --config, the environment or the default names. */
  config(): Promise<Config>;
  /** The store's claims and records, to be read only. */
  claims(): Promise<ClaimReader>;
  /** Whoever keeps the claims: an agent, or this process until the command ends. */
  desk(): Promise<ClaimDesk>;
  /** The same, about guests. */
  guests(): Promise<GuestDesk>;
  /** Owns the store, follows the host and answers others until the signal; `ready` is called once it does. */
  serve(options: ServeOptions): Promise<void>;
  /** Asks the person at the terminal; null when there is none. */
  readonly confirm: ((question: string) => Promise<boolean>) | null;
  /** Reads a store of claims for what is wrong with it. */
  checkStore(file: string): Promise<StoreCheck>;
  /** What time it is. */
  now(): Date;
  /** Writes whole lines to stderr: what happens while the command runs. */
  log(lines: string): void;
  /** Prints to stdout: all that there is to say. */
  print(result: CommandResult): void;
  /**
   * Prints one of many as it comes, a document on one line. Resolves when stdout has taken it, so
   * that a reader who does not keep up holds the command up, not its memory; rejects with the
   * signal's reason.
   */
  printNext(result: CommandResult): Promise<void>;
}

/** A command of `vdpa-host`: one file in `commands/`, one line in the table. */
export interface Command {
  readonly name: string;
  /** One line of `vdpa-host --help`. */
  readonly summary: string;
  /** What follows `vdpa-host` in the usage line. */
  readonly usage: string;
  /** The help's paragraphs. */
  readonly description: string;
  readonly options: CommandOptions;
  readonly positionals: { readonly min: number; readonly max: number; readonly what: string };
  run(context: CommandContext): Promise<ExitCode>;
}
