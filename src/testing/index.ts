/** For the tests of those who use or extend rollcall: time and views under control, and the contracts to fulfil. */
export { type HashingStrategyUnderTest, hashingContract } from "./hashing-contract.js";
export { type LayerUnderTest, layerContract } from "./layer-contract.js";
export { type ManualCandidate, manualCandidates } from "./manual-candidates.js";
export {
  type ManualConnection,
  type ManualConnections,
  type ManualConnectionsOptions,
  manualConnections,
} from "./manual-connections.js";
export { type ManualMembership, type ManualRegistry, manualMembership, manualRegistry } from "./manual-registry.js";
export { type MetricUnderTest, metricContract } from "./metric-contract.js";
export {
  type OpenRegistry,
  type RegistryUnderTest,
  registryContract,
  type TestFramework,
} from "./registry-contract.js";
export { type StrategyUnderTest, strategyContract } from "./strategy-contract.js";
export { type VirtualClock, virtualClock } from "./virtual-clock.js";
