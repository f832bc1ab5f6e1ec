/**
 * What makes nodes that are processes ones that can be broken from inside (`up --faults`), in the way of each engine: a node of ours takes orders through
 * a socket, in front of Apache Kafka stands a library that reads them from a folder.
 */
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import type { ClusterSpec, NodeFaults, PowerFailureOptions } from '../cluster.ts'
import type { PrepareOptions } from './engine.ts'
import { FaultlineInside } from './faultline-inside.ts'
import { KafkaInside } from './kafka-inside.ts'
import type { NodeProcess } from './node-process.ts'

export interface InsideNodes {
  readonly faults: NodeFaults
  /** Where a node has its orders, and what they need. */
  directoryOf(id: number): string
  /** Refuses a cluster whose nodes could take none; makes what is missing. */
  prepare(ids: readonly number[], options: PrepareOptions): Promise<void>
  /** Before anybody looks at the data of a node that is about to start. @param version what it is now; undefined: as the cluster */
  beforeStart(id: number, version: string | undefined, options: PrepareOptions): Promise<void>
  /** Refuses a node that takes no orders although it was told to. */
  afterStart(node: NodeProcess): Promise<void>
  /** To be asked before the process is ended: that it can lose its power. */
  requirePower(id: number, options: PowerFailureOptions): void
  /** Whether anybody knows what the disk of a node loses with its power, or would lose still. */
  knowsLoss(id: number): boolean
  /** Only when the process has ended. */
  losePower(id: number, options: PowerFailureOptions): NodeFaultProof
  /** The disk of a node that is down was emptied, or is about to be. */
  forgetDisk(id: number): Promise<void>
}

/** Of a cluster with `--faults`, whose nodes are all of one engine. */
export function insideOf(spec: ClusterSpec, nodeOf: (id: number) => NodeProcess): InsideNodes {
  return spec.engine === 'apache-kafka' ? new KafkaInside(spec, nodeOf) : new FaultlineInside(spec, nodeOf)
}
