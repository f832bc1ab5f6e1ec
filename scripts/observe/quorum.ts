/** Who leads the metadata quorum and how far its voters and observers are (DescribeQuorum). Brokers pass the question on to the leader. */
import { errorName } from '#broker/protocol/errors.ts'
import { describeQuorumRequest, describeQuorumResponse } from '#broker/protocol/messages/55-describe-quorum.ts'
import type { Infer } from '#broker/protocol/schema.ts'
import { answered, type Line, NoAnswer, reasonsOf } from './lines.ts'
import { isUnknown, unknown, type Known, type ObservedQuorum, type QuorumReplica } from './model.ts'

const question = { request: describeQuorumRequest, response: describeQuorumResponse }
const metadataTopic = '__cluster_metadata'

type PartitionAnswer = Infer<typeof describeQuorumResponse>['topics'][number]['partitions'][number]

export async function askQuorum(line: Line): Promise<ObservedQuorum> {
  const answer = await line.ask(question, {
    topics: [{ topicName: metadataTopic, partitions: [{ partitionIndex: 0 }] }],
  })
  const partition = answer.topics[0]?.partitions[0]
  const code = answer.errorCode !== 0 ? answer.errorCode : (partition?.errorCode ?? 0)
  if (code !== 0) throw new NoAnswer(`broker ${line.broker} answers ${errorName(code)} to DescribeQuorum`)
  if (partition === undefined || partition.leaderId < 0)
    throw new NoAnswer(`broker ${line.broker} knows no leader of the quorum`)
  return quorumOf(partition)
}

/**
 * The answer of the newest epoch: a leader that was deposed and does not know it yet still answers.
 *
 * @param leastEpoch  the newest that was heard of before; what is older is not believed
 */
export function newestQuorum(
  answers: ReadonlyMap<number, Known<ObservedQuorum>>,
  leastEpoch: number,
): Known<ObservedQuorum> {
  const [newest] = [...answered(answers).values()].sort((a, b) => b.epoch - a.epoch)
  if (newest === undefined) return unknown(reasonsOf(answers))
  if (newest.epoch >= leastEpoch) return newest
  return unknown(`only epoch ${newest.epoch} of the quorum is told, and ${leastEpoch} was heard of before`)
}

function quorumOf({ leaderId, leaderEpoch, highWatermark, currentVoters, observers }: PartitionAnswer): ObservedQuorum {
  const all = [...currentVoters, ...observers]
  const leaderEnd = all.find(({ replicaId }) => replicaId === leaderId)?.logEndOffset ?? -1
  const replicas = (answers: PartitionAnswer['currentVoters']) =>
    answers.map(answer => replicaOf(answer, leaderEnd)).sort((a, b) => a.id - b.id)
  return {
    leader: leaderId,
    epoch: leaderEpoch,
    highWatermark,
    voters: replicas(currentVoters),
    observers: replicas(observers),
  }
}

function replicaOf(answer: PartitionAnswer['currentVoters'][number], leaderEnd: number): QuorumReplica {
  const { replicaId: id, logEndOffset, lastFetchTimestamp, lastCaughtUpTimestamp } = answer
  const end: Known<number> =
    logEndOffset >= 0 ? logEndOffset : unknown(`the leader of the quorum has not heard from ${id} yet`)
  const lag = isUnknown(end) ? end : Math.max(0, leaderEnd - end)
  const timeOf = (timestamp: number) => (timestamp >= 0 ? timestamp : null)
  return {
    id,
    logEndOffset: end,
    lag,
    lastFetchTimestamp: timeOf(lastFetchTimestamp),
    lastCaughtUpTimestamp: timeOf(lastCaughtUpTimestamp),
  }
}
