/**
 * Certificates and keys as TLS uses them, from texts, or from files that are read again.
 *
 * Why looked at and not watched: what rotates certificates replaces files, folders and symbolic links, some of it on network
 * file systems, and `fs.watch` misses a part of that on each platform. Why the content and not the time of change: a file that
 * was written again and says the same has not changed.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import { RollcallError, toError } from "./errors.js";
import type { Logger } from "./logger.js";

const PARTS = ["ca", "cert", "key"] as const;
type Part = (typeof PARTS)[number];

export type PemOptions = { readonly [P in Part]?: string | Uint8Array } & { readonly [P in `${Part}File`]?: string };

export type Pem = { readonly [P in Part]?: string };

export interface PemSource {
  /** What could last be used. */
  readonly pem: Pem;
  readonly context: SecureContext;
  /** Goes up whenever they are others. */
  readonly version: number;
  /** Whether there are files, which may change. */
  readonly changes: boolean;
  /** Reads the files. What cannot be used, as a file that is half written, changes nothing, and is warned of once. */
  refresh(): void;
}

/** `whose` says in warnings what they are for. Throws `INVALID_ARGUMENT` where not even the first reading can be used. */
export function pemSource(options: PemOptions, whose: string, logger: Logger): PemSource {
  checkChoice(options);
  let pem = read(options);
  let context = usable(pem, options);
  let version = 0;
  let complaint: string | undefined;

  const refresh = () => {
    try {
      const now = read(options);
      if (PARTS.some((part) => now[part] !== pem[part])) {
        context = usable(now, options);
        pem = now;
        version += 1;
        logger.info(`the certificates for ${whose} have changed; new connections use them`);
      }
      if (complaint) logger.warn(`the certificates for ${whose} can be used again`);
      complaint = undefined;
    } catch (error) {
      const { message } = toError(error);
      if (complaint !== message) {
        logger.warn(
          `the certificates for ${whose} were changed and cannot be used: ${message}; the old ones stay in use`,
        );
      }
      complaint = message;
    }
  };

  return {
    changes: PARTS.some((part) => options[`${part}File`] !== undefined),
    get pem() {
      return pem;
    },
    get context() {
      return context;
    },
    get version() {
      return version;
    },
    refresh,
  };
}

function checkChoice(options: PemOptions): void {
  const isGiven = (part: Part) => options[part] !== undefined || options[`${part}File`] !== undefined;
  for (const part of PARTS) {
    if (options[part] === undefined || options[`${part}File`] === undefined) continue;
    throw invalid(`\`tls.${part}\` and \`tls.${part}File\` are one too many: give either`);
  }
  if (isGiven("cert") !== isGiven("key")) {
    throw invalid("`tls.cert` and `tls.key` go together, as texts or as files: give both or neither");
  }
}

function read(options: PemOptions): Pem {
  const pem: { [P in Part]?: string } = {};
  for (const part of PARTS) {
    const text = options[part];
    const file = options[`${part}File`];
    if (file !== undefined) pem[part] = contentOf(part, file);
    else if (text !== undefined) pem[part] = Buffer.from(text).toString();
  }
  return pem;
}

function contentOf(part: Part, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw invalid(`\`tls.${part}File\` cannot be read: ${toError(cause).message}`, cause);
  }
}

function usable(pem: Pem, options: PemOptions): SecureContext {
  for (const part of PARTS) {
    const text = pem[part];
    if (text === undefined) continue;
    const file = options[`${part}File`];
    const flaw = flawOf(text);
    if (flaw === undefined) continue;
    if (file !== undefined) throw invalid(`\`tls.${part}File\` (${file}) ${flaw}`);
    throw invalid(`\`tls.${part}\` ${flaw}; give PEM text, or the name of its file as \`tls.${part}File\``);
  }
  try {
    return createSecureContext(pem);
  } catch (cause) {
    throw invalid(`\`tls\` cannot be used: ${toError(cause).message}`, cause);
  }
}

/** What OpenSSL would pass over in silence: an empty text is none to it, and a list of authorities ends where it is cut off. */
function flawOf(text: string): string | undefined {
  const begun = text.split("-----BEGIN ").length - 1;
  if (begun === 0) return "is not PEM";
  const blocks = text.match(/-----BEGIN ([^-]+)-----[\s\S]*?-----END \1-----/g) ?? [];
  if (blocks.length < begun) return "is cut off";
  try {
    for (const block of blocks) if (block.includes("CERTIFICATE-----")) new X509Certificate(block);
    return undefined;
  } catch (error) {
    return `holds a certificate that cannot be read: ${toError(error).message}`;
  }
}

function invalid(message: string, cause?: unknown): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message, { cause });
}
