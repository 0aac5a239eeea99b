/**
 * Whether an endpoint is trusted, as a pure function: state and event in, next state out.
 *
 * The drawing holds every transition, and a test compares it with the function. What is not drawn changes nothing.
 *
 *   trusted  ─ tripped ───▶ ejected   too many failures, and the group can spare it
 *   ejected  ─ probed ────▶ probing   its time was over, and a call was placed on it
 *   probing  ─ passed ────▶ trusted   the call was answered
 *            ─ failed ────▶ ejected   for up to twice as long as before
 *            ─ void ──────▶ ejected   the call was given up: the next one probes
 *            ─ probed ────▶ probing   no word of the first probe for long: one more call
 */
export type HealthState = "trusted" | "ejected" | "probing";
export type HealthEvent = "tripped" | "probed" | "passed" | "failed" | "void";

const drawing: Readonly<Record<HealthState, Partial<Readonly<Record<HealthEvent, HealthState>>>>> = {
  trusted: { tripped: "ejected" },
  ejected: { probed: "probing" },
  probing: { passed: "trusted", failed: "ejected", void: "ejected", probed: "probing" },
};

/** The state that `event` leads to; undefined where nothing is drawn. */
export function transition(state: HealthState, event: HealthEvent): HealthState | undefined {
  return drawing[state][event];
}
