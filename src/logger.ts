/** Where rollcall says what an operator should know: a registration lost, a view gone stale, and each of them back. */
export interface Logger {
  warn(message: string): void;
  info(message: string): void;
}

/** Warnings to stderr, one line each; `info` is silent. */
export const stderrLogger: Logger = {
  warn: (message) => void process.stderr.write(`rollcall: ${message}\n`),
  info: () => {},
};

export const silentLogger: Logger = { warn: () => {}, info: () => {} };

/** The `logger` option as everything takes it: absent is stderr, `false` is silence. */
export function resolveLogger(option: Logger | false | undefined): Logger {
  return option === false ? silentLogger : (option ?? stderrLogger);
}
