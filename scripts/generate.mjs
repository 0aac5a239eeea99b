// Writes the TypeScript of every .proto beside it, offline: buf and its plugin are npm packages. With --check it changes
// nothing and fails when what is checked in is not what would be written.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, setupPackages } from "./setup.mjs";

const protos = [
  "src/registry/etcd/proto/etcd.proto",
  "src/adapters/grpc/proto/health.proto",
  "examples/book/book.proto",
  "test/support/talk.proto",
];
const check = process.argv.includes("--check");

await setupPackages();
for (const proto of protos) {
  const folder = proto.slice(0, proto.lastIndexOf("/"));
  if (check) {
    const scratch = mkdtempSync(join(tmpdir(), "rollcall-generate-"));
    generate(proto, folder, scratch);
    const name = proto.slice(folder.length + 1).replace(".proto", "_pb.ts");
    const same = readFileSync(join(scratch, name), "utf8") === readFileSync(join(root, folder, name), "utf8");
    rmSync(scratch, { recursive: true, force: true });
    if (!same) fail(`${folder}/${name} is not what ${proto} gives; run: npm run generate`);
  } else {
    generate(proto, folder, join(root, folder));
  }
}

function generate(proto, folder, out) {
  const plugin = {
    local: join(root, "node_modules/.bin/protoc-gen-es"),
    out,
    opt: ["target=ts", "import_extension=js"],
  };
  const template = JSON.stringify({ version: "v2", plugins: [plugin] });
  const buf = join(root, "node_modules/.bin/buf");
  const run = spawnSync(buf, ["generate", folder, "--path", proto, "--template", template], {
    cwd: root,
    stdio: "inherit",
  });
  if (run.status !== 0) fail(`${proto} failed${run.error ? `: ${run.error.message}` : ""}`);
}

function fail(message) {
  process.stderr.write(`generate: ${message}\n`);
  process.exit(1);
}
