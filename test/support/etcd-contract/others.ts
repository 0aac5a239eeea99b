import { AlarmRequest_AlarmAction as AlarmAction } from "../../../src/registry/etcd/proto/etcd_pb.js";
import type { Scenario } from "./scenario.js";

export const others: readonly Scenario[] = [
  {
    name: "a user without authentication is told so",
    async run(etcd) {
      await etcd.call("authenticate", { name: "root", password: "x" });
    },
  },
  {
    name: "there are no alarms",
    notBefore35: "3.4 answers without a header",
    async run(etcd) {
      await etcd.call("alarm", { action: AlarmAction.GET });
    },
  },
];
