/** The logger shape that every part accepts, and the silent one used when none is given. */

/** A structured logger; pino's loggers fit unchanged. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const ignore = (): void => undefined;

/** Discards everything: the default of the library, which never writes to the console. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
