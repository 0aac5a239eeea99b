import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { WatchRequest, WatchResponse } from "../../registry/etcd/proto/etcd_pb.js";
import type { RegistryState } from "../registry-state.js";
import { WatchStream } from "../watch-stream.js";

export function watchService(state: RegistryState, progressNotifyMs: number) {
  return {
    watch(call: ServerDuplexStream<WatchRequest, WatchResponse>): void {
      const stream = new WatchStream({ ...state, progressNotifyMs, send: (response) => call.write(response) });
      const close = () => {
        stream.close();
        state.openStreams.delete(fail);
      };
      const fail = (error: Error) => {
        close();
        call.emit("error", error); // grpc-js makes it the stream's status
      };
      state.openStreams.add(fail);
      call.on("data", (request: WatchRequest) => stream.receive(request));
      call.on("drain", () => stream.drained());
      call.on("cancelled", close);
      call.on("close", close);
    },
  };
}
