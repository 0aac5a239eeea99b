/** Calls a service as a client of rollcall would, with nothing but its .proto: a look, a check in a script, a load. */
import { balancerNamed, balancerNames } from "../../index.js";
import { etcd } from "../../registry/etcd/index.js";
import { methodCaller } from "../call/balanced-call.js";
import { runCallers } from "../call/callers.js";
import { protoMethod } from "../call/proto-method.js";
import { resultText, summaryText } from "../call/report.js";
import { requestFromJson } from "../call/request-json.js";
import { Tally } from "../call/summary.js";
import { command } from "../command.js";
import { connectionOf, connectionOptions, prefixOption } from "../connection.js";
import { formatDuration, parsePositiveDuration } from "../duration.js";
import { json } from "../ndjson.js";
import { parseCount, parseRate } from "../number.js";
import { asText, flag, one, required } from "../options.js";
import { stopSignal } from "../stop-signal.js";
import { painter } from "../table.js";
import { UsageError } from "../usage-error.js";
import { within } from "../within.js";

// With a rate and no -c, calls begin when they are due. This bounds what piles up when nothing answers.
const MOST_CALLERS = 1_000;
// What connections get before the first of many calls, which would otherwise all go to whoever was connected first.
const CONNECT_MS = 1_000;

export const call = command({
  verb: "call",
  summary: "call a method through discovery, balancing and retry",
  description:
    "Makes one call, or as many as -n and --duration allow, whichever ends first. Exits with 1 when a call failed.\n" +
    "The request and the reply are JSON; fields are named in lowerCamelCase, 64-bit integers are text.\n" +
    "With --rate, latency counts from the moment at which a call was due. Ctrl-C ends it with the summary.",
  operands: [
    { name: "package.Service/Method", help: "the method; one request, one reply" },
    { name: "json", help: 'the request, e.g. \'{"a":"Allen","b":"21"}\'' },
  ],
  options: {
    service: required("name", "whom to call, as registered", asText),
    proto: required("file", "the .proto file with the method", asText),
    calls: one("number", "how many calls", parseCount, { short: "n", otherwise: "1, or no bound with --duration" }),
    callers: one("number", "how many at a time", parseCount, {
      short: "c",
      otherwise: `1, or up to ${MOST_CALLERS} with --rate`,
    }),
    rate: one("number/s", "how many calls a second, e.g. 200/s or 200", parseRate, {
      otherwise: "as fast as they return",
    }),
    duration: one("duration", "for how long calls begin", parsePositiveDuration),
    timeout: one("duration", "the deadline of a call: attempts, pauses and waiting", parsePositiveDuration, {
      default: "3s",
    }),
    "attempt-timeout": one("duration", "cancels an attempt that takes longer", parsePositiveDuration),
    attempts: one("number", "attempts of a call, the first included", parseCount, { default: "3" }),
    balancer: one("name", `how an instance is chosen: ${balancerNames.join(", ")}`, balancerNamed, {
      default: "p2c",
    }),
    idempotent: flag("repeating the call does no harm: try again also what a server may have seen"),
    summary: flag("print the summary only"),
    ...connectionOptions,
    prefix: prefixOption,
    json: flag('NDJSON on stdout: {"ok",…} for each call, then {"summary":{…}}'),
  },
  examples: [
    `rollcall call pb.Test/Test '{"a":"Allen","b":"21"}' --service book --proto book.proto`,
    "rollcall call pb.Test/Test '{}' --service book --proto book.proto --rate 200/s --duration 1m --idempotent --summary",
  ],

  async run({ values, operands: [path = "", text = ""] }, stdout) {
    const attemptTimeoutMs = values["attempt-timeout"];
    if (attemptTimeoutMs !== undefined && attemptTimeoutMs >= values.timeout) {
      const most = formatDuration(values.timeout);
      throw new UsageError(`--attempt-timeout has no effect unless it is shorter than --timeout, which is ${most}`);
    }
    const method = protoMethod(path, values.proto);
    const request = requestFromJson(text, method.requestType, method.types);
    const { rate, duration: durationMs = Number.POSITIVE_INFINITY } = values;
    const calls = values.calls ?? (values.duration === undefined ? 1 : Number.POSITIVE_INFINITY);
    const callers = values.callers ?? (rate === undefined ? 1 : MOST_CALLERS);
    const paint = painter(stdout.isTerminal, process.env);
    const tally = new Tally();

    using stop = stopSignal();
    await using registry = etcd({ ...connectionOf(values), prefix: values.prefix });
    await using caller = methodCaller(method, {
      registry,
      service: values.service,
      ...values.balancer,
      retry: { attempts: values.attempts, attemptTimeoutMs },
      timeoutMs: values.timeout,
      idempotent: values.idempotent,
    });
    const signal = AbortSignal.any([stop.signal, stdout.gone]);
    if (calls > 1) await within(Math.min(CONNECT_MS, values.timeout), signal, (bounded) => caller.connected(bounded));
    const elapsedMs = await runCallers({ calls, callers, perSecond: rate, durationMs, signal }, async (sinceMs) => {
      const result = await caller.call(request, sinceMs);
      tally.add(result);
      if (!values.summary) await stdout.write(values.json ? json(result) : resultText(result, paint));
    });
    const summary = tally.summary(elapsedMs);
    if (values.json) await stdout.write(json({ summary }));
    else if (values.summary || calls !== 1) await stdout.write(summaryText(summary, paint));
    return summary.failed > 0 ? 1 : 0;
  },
});
