/**
 * `faultline/lab`: what a lab of one's own is written with. See docs/labs.md.
 *
 * @example
 * import { allChecks, lab, leaderOf, quickFailover } from 'faultline/lab'
 * export default lab({ name: 'my-lab', … })
 */
export { driving, lab, quickFailover } from '../labs/lab.ts'
export type { Expectation, Lab, MakeWorkload, Prediction, Topology, Variant } from '../labs/lab.ts'
export type { LabRun, PartitionPredicate, Script } from '../labs/script.ts'
export type { LabQuestion } from '../labs/watcher.ts'
export {
  acksOneControl,
  heldInLosses,
  leaderDiesAhead,
  loseTheUnreplicated,
  unreplicatedWorkload,
} from '../labs/scripts.ts'
export {
  activeController,
  everyBroker,
  everyNode,
  followerOf,
  followersOf,
  leaderOf,
  node,
  type Target,
  type TargetContext,
} from '../labs/targets.ts'
export {
  allChecks,
  compactedChecks,
  everyCheck,
  groupChecks,
  transactionChecks,
  type Check,
  type CheckName,
  type OwnCheck,
} from '../checkers/check.ts'
export { bankBalance, type Bank } from '../checkers/bank.ts'
export { offsetReset } from '../checkers/committed-offsets.ts'
export { exactlyOnce, exactlyOnceBetween, type Pipeline } from '../checkers/pipeline.ts'
export { progressCheck, type ProgressPromise } from '../checkers/availability.ts'
export type { Analysis } from '../checkers/analysis.ts'
export { factCheck, factsOf, type FactPromise, type Facts } from '../checkers/facts.ts'
export { sendsAcknowledged } from '../checkers/sends-acknowledged.ts'
export { unknown, type AnomalyCase, type CheckResult, type Validity } from '../checkers/result.ts'
export * from '../observe/predicates.ts'
export { appendDefaults, AppendWorkload, type AppendOptions } from '../workload/append.ts'
export { kafkaClient } from '../workload/kafkajs-client.ts'
export { reassign, type Move } from '../workload/reassign.ts'
export type { Workload, WorkloadParts } from '../workload/workload.ts'
export { faultSchedule, type ScheduledFault, type ScheduledKind } from '../labs/random/schedule.ts'
export type { ClientRecorder, HistoryRecorder } from '../history/recorder.ts'
export type { FactValue, History, Observation, ObservedPartition, Operation } from '../history/operation.ts'
export type { Capability, Cluster } from '../cluster/cluster.ts'
