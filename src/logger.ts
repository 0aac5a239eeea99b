import { reportStray } from "./errors.js";

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

/** The `logger` option as everything takes it: absent is stderr, `false` is silence. One that throws stops nobody who says something. */
export function resolveLogger(option: Logger | false | undefined): Logger {
  if (option === false) return silentLogger;
  if (option === undefined) return stderrLogger;
  const saying = (level: keyof Logger) => (message: string) => {
    try {
      option[level](message);
    } catch (error) {
      reportStray(error);
    }
  };
  return { warn: saying("warn"), info: saying("info") };
}
