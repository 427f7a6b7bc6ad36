/** Where what happens in the background is told: has the form of pino. The library is silent without one. */
export interface Logger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
