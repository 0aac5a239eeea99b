import { etcd } from "rollcall/etcd";
import { afterAll, beforeAll, describe, it } from "vitest";
import type { NewInstance } from "../../src/instance.js";
import { fixed } from "../../src/registry/fixed.js";
import { memory } from "../../src/registry/memory.js";
import type { Registry } from "../../src/registry/registry.js";
import { registryContract } from "../../src/testing/registry-contract.js";
import { type EtcdMember, startEtcd } from "../support/etcd.js";

registryContract(
  { describe, it },
  {
    name: "fixed()",
    takesNoRegistrations: "a fixed registry takes no registrations",
    async open(present) {
      const registry = fixed(present);
      return { registry, peer: registry, close: () => registry.close() };
    },
  },
);

registryContract(
  { describe, it },
  {
    name: "memory()",
    async open(present) {
      const registry = memory();
      await registerAll(registry, present);
      return { registry, peer: registry, close: () => registry.close() };
    },
  },
);

describe("over a real etcd", () => {
  let member: EtcdMember;
  let runs = 0;
  beforeAll(async () => {
    member = await startEtcd();
  });
  afterAll(() => member.stop());

  registryContract(
    { describe, it },
    {
      name: "etcd()",
      async open(present) {
        runs += 1;
        const options = { endpoints: [member.endpoint], prefix: `/run-${runs}/`, logger: false } as const;
        const registries = [etcd(options), etcd(options), etcd(options)] as const;
        const [registry, peer, seeder] = registries;
        await registerAll(seeder, present);
        return {
          registry,
          peer,
          close: async () => void (await Promise.all(registries.map((each) => each.close()))),
        };
      },
    },
  );
});

async function registerAll(registry: Registry, present: Readonly<Record<string, readonly NewInstance[]>>) {
  for (const [service, instances] of Object.entries(present)) {
    for (const instance of instances) await registry.register(service, instance);
  }
}
