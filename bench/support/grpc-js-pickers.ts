/**
 * The pickers of grpc-js, which exports none: its own policies make them, out of its build, over stand-ins for connections
 * that are ready and give what the picker of a single connection gives.
 */
import { createRequire } from "node:module";
import "@grpc/grpc-js"; // registers the policies

interface PickArgs {
  readonly metadata: undefined;
  readonly extraPickInfo: Readonly<Record<string, string>>;
}

export interface GrpcJsPicker {
  pick(args: PickArgs): unknown;
}

/** What is used here of a policy. */
interface Policy {
  children: unknown;
  latestConfig?: unknown;
  calculateAndUpdateState(): void;
}

interface PolicyModule {
  createLoadBalancer(config: unknown, helper: object): Policy;
  parseLoadBalancingConfig(config: object): unknown;
}

const { createLoadBalancer, parseLoadBalancingConfig }: PolicyModule = createRequire(import.meta.url)(
  "@grpc/grpc-js/build/src/load-balancer.js",
);

const READY = 2;
const COMPLETE = 0;

function readyConnection(address: string): object {
  const wrapped = { address };
  const subchannel = { getWrappedSubchannel: () => wrapped };
  const picker = {
    pick: () => ({ pickResultType: COMPLETE, subchannel, status: null, onCallStarted: null, onCallEnded: null }),
  };
  return { getConnectivityState: () => READY, getPicker: () => picker, getEndpoint: () => ({ addresses: [address] }) };
}

function pickerOf(config: object, prepare: (policy: Policy, parsed: unknown) => void): GrpcJsPicker {
  let newest: GrpcJsPicker | undefined;
  const parsed = parseLoadBalancingConfig(config);
  const unused = () => {};
  const policy = createLoadBalancer(parsed, {
    createSubchannel: unused,
    requestReresolution: unused,
    addChannelzChild: unused,
    removeChannelzChild: unused,
    updateState: (_state: number, picker: GrpcJsPicker) => {
      newest = picker;
    },
  });
  prepare(policy, parsed);
  policy.calculateAndUpdateState();
  if (newest === undefined) throw new Error("grpc-js made no picker; its build has changed");
  return newest;
}

export function grpcJsRoundRobin(addresses: readonly string[]): GrpcJsPicker {
  return pickerOf({ round_robin: {} }, (policy) => {
    policy.children = addresses.map(readyConnection);
  });
}

/** With load reports out of band, which keeps it from wrapping every pick; all weights are equal. */
export function grpcJsWeightedRoundRobin(addresses: readonly string[]): GrpcJsPicker {
  return pickerOf({ weighted_round_robin: { enable_oob_load_report: true } }, (policy, parsed) => {
    policy.latestConfig = parsed;
    policy.children = new Map(
      addresses.map((address) => {
        const [nonEmptySince, lastUpdated] = [new Date(0), new Date()];
        return [address, { child: readyConnection(address), weight: 100, nonEmptySince, lastUpdated }];
      }),
    );
  });
}
