/** The structure that ARCHITECTURE.md promises, held by a test: direction of imports, dependencies, sizes, sources of time. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

interface Source {
  /** Relative to src, e.g. `call/retry.ts`. */
  readonly file: string;
  readonly text: string;
  readonly lines: number;
  /** Files of src that it imports, types included. */
  readonly imports: readonly string[];
  /** Those of which it imports values. */
  readonly valueImports: readonly string[];
  /** Packages of which it imports values. */
  readonly valuePackages: readonly string[];
}

const allSources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !/\.test\.ts$/.test(file))
  .map(read);
const byFile = new Map(allSources.map((source) => [source.file, source]));
/** What somebody wrote and reads; generated code only takes part in what is loaded. */
const sources = allSources.filter(({ file }) => !file.endsWith("_pb.ts"));

function read(file: string): Source {
  const text = readFileSync(join(root, "src", file), "utf8");
  const statements = [
    ...text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[\w*{][^"';]*?\s+from\s+)?"([^"]+)"/gm),
    ...text.matchAll(/()\bimport\("([^"]+)"\)/g),
  ].map(([, type, specifier = ""]) => ({ specifier, isType: type !== undefined && type !== "" }));
  const local = statements.filter(({ specifier }) => specifier.startsWith("."));
  const toFile = ({ specifier }: { specifier: string }) =>
    relative(join(root, "src"), join(root, "src", dirname(file), specifier)).replace(/\.js$/, ".ts");
  return {
    file,
    text,
    lines: text.split("\n").length - 1,
    imports: local.map(toFile),
    valueImports: local.filter(({ isType }) => !isType).map(toFile),
    valuePackages: statements
      .filter(({ specifier, isType }) => !isType && !specifier.startsWith(".") && !specifier.startsWith("node:"))
      .map(({ specifier }) => specifier),
  };
}

/** Everything that loading `file` loads. */
function loaded(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const next of byFile.get(file)?.valueImports ?? []) loaded(next, seen);
  return seen;
}

function packagesLoadedBy(file: string): string[] {
  return [...new Set([...loaded(file)].flatMap((each) => byFile.get(each)?.valuePackages ?? []))].sort();
}

/** What a folder or file may import, by the beginnings of paths in src; the first entry that fits decides. */
const values = [
  "instance.ts",
  "live.ts",
  "errors.ts",
  "clock.ts",
  "random.ts",
  "hash.ts",
  "outcome.ts",
  "logger.ts",
  "backoff.ts",
  "check-kind.ts",
  "check-number.ts",
  "deadline-queue.ts",
  "host-port.ts",
  "known-options.ts",
  "time-heap.ts",
];
const publicEntries = [
  "index.ts",
  "registry/etcd/index.ts",
  "adapters/grpc/index.ts",
  "embedded/index.ts",
  "testing/index.ts",
  "simulate/index.ts",
];
/** What registrations and views stand on; neither knows of the other. */
const underEtcd = [
  "registry/etcd/client/",
  "registry/etcd/proto/",
  "registry/registry.ts",
  "registry/announcement.ts",
  "registry/mass-deletion.ts",
  "registry/retained-instances.ts",
  "registry/layouts/layout.ts",
];
/** What the client half and the server half of the adapter have in common; neither knows of the other. */
const grpcShared = ["client-types", "grpc-error", "metadata", "methods", "tls", "transport"].map(
  (name) => `adapters/grpc/${name}.ts`,
);
const underGrpc = ["method-definitions.ts", "grpc-listen.ts", "pem.ts", "index.ts", ...values];
const mayImport: readonly (readonly [from: string, allowed: readonly string[]])[] = [
  ...values.map((file) => [file, values] as const),
  ["method-definitions.ts", []],
  ["grpc-listen.ts", values],
  ["pem.ts", values],
  ["observe/", [...values, "observe/", "registry/registry.ts"]],
  ["registry/etcd/client/", [...values, "pem.ts", "registry/etcd/client/", "registry/etcd/proto/"]],
  ...["registry/etcd/registration/", "registry/etcd/watch/"].map(
    (folder) => [folder, [...values, "observe/", folder, ...underEtcd]] as const,
  ),
  ["registry/etcd/", [...values, "observe/", "registry/"]],
  ["registry/", [...values, "observe/", "registry/"]],
  ["endpoints/", [...values, "observe/", "endpoints/", "registry/registry.ts"]],
  ["balancer/", [...values, "observe/", "balancer/", "endpoints/", "call/call.ts"]],
  ["call/", [...values, "observe/", "call/", "balancer/"]],
  ["client.ts", [...values, "registry/registry.ts", "endpoints/", "balancer/", "call/"]],
  ["index.ts", [""]],
  ["embedded/", ["embedded/", ...values, "method-definitions.ts", "grpc-listen.ts", "registry/etcd/proto/"]],
  ["testing/", ["testing/", ...values, "registry/registry.ts", "endpoints/", "balancer/", "call/"]],
  // As a package of somebody else's would: what is simulated is what is shipped.
  ["simulate/", ["simulate/", "index.ts", "testing/index.ts", ...values]],
  ...["client", "server"].map(
    (half) =>
      [
        `adapters/grpc/${half}/`,
        [`adapters/grpc/${half}/`, "adapters/grpc/proto/", ...grpcShared, ...underGrpc],
      ] as const,
  ),
  ["adapters/grpc/", ["adapters/grpc/", ...underGrpc]],
  ["cli/", ["cli/", ...publicEntries]],
];

describe("imports", () => {
  test("every folder is in the table", () => {
    const unknown = sources.filter(({ file }) => !mayImport.some(([from]) => file.startsWith(from)));
    expect(unknown.map(({ file }) => file)).toEqual([]);
  });

  test("go along the path and never back", () => {
    const violations = sources.flatMap(({ file, imports }) => {
      const allowed = mayImport.find(([from]) => file.startsWith(from))?.[1] ?? [];
      return imports
        .filter((target) => !allowed.some((start) => target.startsWith(start)))
        .map((target) => `${file} → ${target}`);
    });
    expect(violations).toEqual([]);
  });

  test("make no cycle, not even of types", () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]) => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      if (path.includes(file) || done.has(file)) return;
      for (const next of byFile.get(file)?.imports ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const { file } of sources) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("lead only to files that exist", () => {
    const missing = sources.flatMap(({ file, imports }) =>
      imports.filter((target) => !byFile.has(target)).map((target) => `${file} → ${target}`),
    );
    expect(missing).toEqual([]);
  });
});

describe("dependencies", () => {
  test.each([
    ["index.ts", []],
    ["testing/index.ts", []],
    ["simulate/index.ts", []],
    ["registry/etcd/index.ts", ["@bufbuild/protobuf", "@bufbuild/protobuf/codegenv2", "@grpc/grpc-js"]],
    ["embedded/index.ts", ["@bufbuild/protobuf", "@bufbuild/protobuf/codegenv2", "@grpc/grpc-js"]],
    ["adapters/grpc/index.ts", ["@bufbuild/protobuf", "@bufbuild/protobuf/codegenv2", "@grpc/grpc-js"]],
  ])("loading %s loads at most %j", (file, allowed) => {
    expect([...byFile.keys()]).toContain(file);
    expect(packagesLoadedBy(file).filter((name) => !(allowed as string[]).includes(name))).toEqual([]);
  });
});

describe("files", () => {
  /** Files past 300 lines, each with the reason why it is not split. */
  const reasons: Record<string, string> = {};

  test("are short enough to be read in one sitting", () => {
    const long = sources.filter(({ file, lines }) => lines > (file in reasons ? 500 : 300));
    expect(long.map(({ file, lines }) => `${file}: ${lines}`)).toEqual([]);
  });

  test("have a median of at most 130 lines", () => {
    const lengths = sources.map(({ lines }) => lines).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(130);
  });

  test("are named in kebab-case", () => {
    expect(
      sources.filter(({ file }) => !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+\.ts$/.test(file)).map(({ file }) => file),
    ).toEqual([]);
  });

  test("take time and randomness from clock.ts and random.ts only", () => {
    const impure = /\b(?:Date\.now|performance\.now|Math\.random|setTimeout|setInterval)\b/;
    const own = /^(?:clock|random)\.ts$|^cli\//;
    const violations = sources.filter(({ file, text }) => !own.test(file) && impure.test(text));
    expect(violations.map(({ file }) => file)).toEqual([]);
  });

  test("leave nothing for later", () => {
    const marks = /TODO|FIXME|XXX|@ts-ignore|@ts-nocheck|\bas any\b|: any\b|export \*/;
    expect(sources.filter(({ text }) => marks.test(text)).map(({ file }) => file)).toEqual([]);
  });
});
