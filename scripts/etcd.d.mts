export function etcdBinaries(line?: "3.4" | "3.5"): Promise<{ readonly etcd: string; readonly etcdctl: string }>;
