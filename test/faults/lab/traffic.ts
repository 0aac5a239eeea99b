/** What has arrived at a member since it was started, by its own counters. */

export interface Traffic {
  /** How many requests and streams of this gRPC method, or of all, it has begun. */
  total(method?: string): number;
}

export async function trafficOf(endpoint: string): Promise<Traffic> {
  const text = await (await fetch(`http://${endpoint}/metrics`)).text();
  const counters = [...text.matchAll(/^grpc_server_started_total\{grpc_method="(\w+)".*\} (\S+)$/gm)];
  const sum = (counted: typeof counters) => counted.reduce((total, [, , count]) => total + Number(count), 0);
  return {
    total: (method) => sum(counters.filter(([, name]) => method === undefined || name === method)),
  };
}
