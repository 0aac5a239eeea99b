/** Who the client is to etcd. */
import { status } from "@grpc/grpc-js";
import { RollcallError, toError } from "../../../errors.js";
import { EtcdError } from "./etcd-error.js";

type Password = string | (() => string | Promise<string>);

export interface Login {
  readonly user: string;
  /** As it is now. Without one the user is as good as refused: rejects with an `EtcdError` of the kind `denied`. */
  password(): Promise<string>;
}

/** Undefined where neither is given. Throws `INVALID_ARGUMENT` for one without the other. */
export function login(user: string | undefined, password: Password | undefined): Login | undefined {
  if (user === undefined && password === undefined) return undefined;
  if (password === undefined) throw invalid("`user` is given without `password`");
  if (user === undefined) throw invalid("`password` is given without `user`");
  return { user, password: typeof password === "string" ? async () => password : () => asked(password) };
}

async function asked(password: () => unknown): Promise<string> {
  let answer: unknown;
  try {
    answer = await password();
  } catch (cause) {
    throw noPassword(`failed: ${toError(cause).message}`, cause);
  }
  if (typeof answer === "string") return answer;
  throw noPassword(`gave no string (${typeof answer})`);
}

function noPassword(what: string, cause?: unknown): EtcdError {
  return new EtcdError("denied", status.UNAUTHENTICATED, `the function given as \`password\` ${what}`, { cause });
}

function invalid(message: string): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message);
}
