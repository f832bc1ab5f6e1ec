/** What handlers may call: the parts of this node. `broker/node.ts` puts it together. */
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Listeners } from '../config/listeners.ts'
import type { AutoTopics } from '../controller/auto-topics.ts'
import type { Controller } from '../controller/controller-driver.ts'
import type { MetadataImage } from '../controller/image.ts'
import type { Groups } from '../coordinator/groups/groups.ts'
import type { ShareGroupService } from '../coordinator/groups/share/share-group-service.ts'
import type { Shares } from '../coordinator/share-partitions/shares.ts'
import type { Transactions } from '../coordinator/transactions/transactions.ts'
import type { ClientTelemetry } from '../observe/client-telemetry.ts'
import type { RaftDriver } from '../raft/raft-driver.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'
import type { Authorizer } from '../security/authorization/authorizer.ts'
import type { ClientQuotas } from '../security/quotas/client-quotas.ts'
import type { ConnectionInfo, RequestContext } from './handler.ts'

/** Sends a client's request to the active controller and brings the answer back (KIP-590). */
export interface Forwarder {
  /** Resolves with the whole response, header included. Rejects with NetworkError when no controller answered in time. */
  forward(context: Pick<RequestContext, 'frame' | 'connection'>): Promise<readonly Uint8Array[]>
}

/** The registry, as ApiVersions and Envelope see it. */
export interface Dispatch {
  apiVersions(connection: ConnectionInfo): readonly { apiKey: number; minVersion: number; maxVersion: number }[]
  /** Serves a request that came inside another one; resolves with the response, header included. */
  serveEmbedded(frame: Buffer, connection: ConnectionInfo): Promise<readonly Uint8Array[]>
}

interface EveryNode {
  readonly clusterId: string
  readonly nodeId: number
  readonly listeners: Listeners
  readonly quorum: RaftDriver
  readonly dispatch: Dispatch
  /** Undefined: everyone may do everything. */
  readonly authorizer?: Authorizer
  readonly quotas?: ClientQuotas
  /** Why this node cannot live with these settings; undefined when it can. */
  readonly settingsRefusal?: (config: BrokerConfig) => string | undefined
  metadata(): MetadataImage
}

export interface BrokerServices {
  readonly replicas: ReplicaManager
  readonly groups: Groups
  readonly shares: Shares
  readonly shareGroups: ShareGroupService
  readonly transactions: Transactions
  readonly autoTopics: AutoTopics
  readonly telemetry: ClientTelemetry
  readonly forwarder: Forwarder
}

/** Controller parts exist where process.roles has `controller`, broker parts where it has `broker`. */
export interface Services extends EveryNode {
  readonly controller?: Controller
  readonly broker?: BrokerServices
}
