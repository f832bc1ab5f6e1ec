/** What replication needs from the rest of the node; node.ts provides it. */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { MetadataImage } from '../controller/image.ts'
import type { Environment } from '../environment/environment.ts'
import type { LogManager } from '../log/log.ts'
import type { RequestClient } from '../net/client.ts'
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/messages/56-alter-partition.ts'
import type { AllocateProducerIdsResponse } from '../protocol/messages/67-allocate-producer-ids.ts'
import type { ReplicaId } from './log-dir-moves.ts'
import type { TransactionVerifier } from './transaction-verifier.ts'

type Sender = () => { readonly brokerId: number; readonly brokerEpoch: number }

/** What replication asks the active controller for; ControllerChannel satisfies it. Rejects when no controller answered. */
export interface ControllerLink {
  alterPartition(sender: Sender, proposal: Pick<AlterPartitionRequest, 'topics'>): Promise<AlterPartitionResponse>
  allocateProducerIds(sender: Sender, attempts: { readonly deadlineMs?: number }): Promise<AllocateProducerIdsResponse>
}

export interface ReplicaManagerParts {
  readonly environment: Environment
  readonly config: BrokerConfig
  readonly brokerId: number
  readonly logs: LogManager
  readonly controller: ControllerLink
  /** Name of the listener on which brokers talk to each other. */
  readonly interBrokerListener: string
  /** A client of its own for each leader that is followed: fetches must not queue behind other requests. */
  newClient(): RequestClient
  /** The epoch of this broker's registration, -1 before. */
  brokerEpoch(): number
  /** Whether the image holds the registration of this process (its incarnation): all older metadata is in it then. */
  isRegisteredIn(image: MetadataImage): boolean
  /** The broker's settings with what was altered at run time. */
  liveConfig(image: MetadataImage): BrokerConfig
  /** Asks the coordinators of transactions. */
  readonly transactions: TransactionVerifier
  /** To be reported to the controller with the heartbeats. */
  directoryFailed(directoryId: string): void
  /** Tells the controller in which log directory a replica of this broker will be; `done` with whether it took that (KIP-858). */
  assignDirectory(replica: ReplicaId, directoryId: string, done: (taken: boolean) => void): void
  /** The controller may have to be told of another log directory of the replica: `ReplicaManager.assignedDirectory`. */
  directoryChanged(replica: ReplicaId): void
}

/** Counts since the start of the process, for metrics. */
export interface ReplicationCounters {
  isrShrinks: number
  isrExpands: number
  failedIsrUpdates: number
  failedPartitions: number
}
