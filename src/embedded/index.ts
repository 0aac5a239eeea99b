/** `rollcall/embedded`: the part of etcd that discovery needs, in this process, for development and tests. */
export { type EmbeddedOptions, type EmbeddedRegistry, startEmbedded } from "./server.js";
