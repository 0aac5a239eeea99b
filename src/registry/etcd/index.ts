/** `rollcall/etcd`: the registry in etcd, and the layouts that it writes and reads. */

// What a program uses.

export { type GoKitLayoutOptions, goKitLayout } from "../layouts/go-kit.js";
export type { MassDeletionBrakeOptions } from "../mass-deletion.js";
export type { EtcdTlsOptions } from "./client/client.js";
export { EtcdError, type EtcdErrorKind } from "./client/etcd-error.js";
export { type EtcdOptions, etcd } from "./registry.js";
export type { SnapshotOptions } from "./watch/snapshot/snapshot-folder.js";

// For layouts of one's own, and for programs that talk to etcd themselves.

export type { KeyValue, Layout } from "../layouts/layout.js";
export {
  type EtcdCallOptions,
  type EtcdClient,
  type EtcdClientOptions,
  type EtcdStream,
  type EtcdStreamObserver,
  type EtcdStreamOptions,
  etcdClient,
} from "./client/client.js";
export { listServices } from "./services.js";
