// A build from nothing, as the package is published: no output of a file that is gone.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build, root } from "./setup.mjs";

rmSync(join(root, "dist"), { recursive: true, force: true });
build();
