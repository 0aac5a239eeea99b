/** Who the client is to etcd. */
import { status } from "@grpc/grpc-js";
import type { Clock } from "../../../clock.js";
import { RollcallError, toError } from "../../../errors.js";
import { EtcdError } from "./etcd-error.js";

type Password = string | (() => string | Promise<string>);

export interface Login {
  readonly user: string;
  /** As it is now. Without one the user is as good as refused: rejects with an `EtcdError` of the kind `denied`. */
  password(): Promise<string>;
}

export interface Patience {
  readonly clock: Clock;
  /** How long a function may take: all that needs a token waits for it. */
  readonly timeoutMs: number;
}

/** Undefined where neither is given. Throws `INVALID_ARGUMENT` for one without the other. */
export function login(user: string | undefined, password: Password | undefined, patience: Patience): Login | undefined {
  if (user === undefined && password === undefined) return undefined;
  if (password === undefined) throw invalid("`user` is given without `password`");
  if (user === undefined) throw invalid("`password` is given without `user`");
  return { user, password: typeof password === "string" ? async () => password : () => asked(password, patience) };
}

async function asked(password: () => unknown, patience: Patience): Promise<string> {
  const answer = await answerOf(password, patience);
  if (typeof answer === "string") return answer;
  throw noPassword(`gave no string (${typeof answer})`);
}

function answerOf(password: () => unknown, { clock, timeoutMs }: Patience): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () => reject(noPassword(`has not answered within ${timeoutMs} ms`)));
    const fail = (cause: unknown) => reject(noPassword(`failed: ${toError(cause).message}`, cause));
    Promise.resolve()
      .then(password)
      .then(resolve, fail)
      .finally(() => timer.cancel());
  });
}

function noPassword(what: string, cause?: unknown): EtcdError {
  return new EtcdError("denied", status.UNAUTHENTICATED, `the function given as \`password\` ${what}`, { cause });
}

function invalid(message: string): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message);
}
