import { expect, it } from "vitest";
import { reportsReliably } from "./progress-trust.js";

it.each(["3.4.25", "3.4.45", "3.5.8", "3.5.30", "3.5.8-rc.0", "3.6.0", "3.6.0-alpha", "4.0.0"])(
  "believes the progress reports of etcd %s",
  (version) => expect(reportsReliably(version)).toBe(true),
);

it.each(["3.3.27", "3.4.23", "3.4.24", "3.5.0", "3.5.7", "", "unknown", "3.5"])(
  "does not believe those of etcd %j",
  (version) => expect(reportsReliably(version)).toBe(false),
);
