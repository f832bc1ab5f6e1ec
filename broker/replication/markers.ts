/** Writes the markers that end transactions into partitions led here (KIP-98). */
import type { TopicPartition } from '../log/log.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { ReplicaManager } from './replica-manager.ts'

/** Appends a marker as the leader, and waits until the in-sync replicas have it. */
export async function appendMarker(
  replicas: ReplicaManager,
  at: TopicPartition,
  marker: Buffer,
  options: { timeoutMs: number; transactionVersion: number },
): Promise<ErrorName | 'NONE'> {
  const leaderEpoch = replicas.leaderEpoch(at)
  if (leaderEpoch === undefined) {
    const target = replicas.find(at.topic, at.partition)
    return typeof target === 'string' ? target : 'NOT_LEADER_OR_FOLLOWER'
  }
  const appended = replicas.appendForCoordinator(at, marker, { ...options, leaderEpoch })
  if ('refused' in appended) return appended.refused
  const outcome = await appended.committed
  return outcome === 'committed' ? 'NONE' : outcome
}
