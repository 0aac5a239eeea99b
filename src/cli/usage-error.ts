/** Arguments that cannot be used. The message is one line: what is wrong, and how to mend it. */
export class UsageError extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "UsageError";
  }
}
