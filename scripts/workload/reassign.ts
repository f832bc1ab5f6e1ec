/** Replicas that move from broker to broker while clients work: what an operator does with kafka-reassign-partitions. */
import type { Cluster } from '../cluster/cluster.ts'
import { reassignPartition } from '../cluster/wire-requests.ts'
import { messageOf } from '../errors.ts'
import { Links } from './links.ts'

const answerMs = 10_000

export interface Move {
  readonly topic: string
  readonly partition: number
  /** Where it shall be, the preferred leader first; null: a move that is under way is taken back. */
  readonly replicas: readonly number[] | null
}

/**
 * Asks for a move; whichever broker answers hands it to the controller. It resolves when the move has begun: what it has come to is to be seen
 * in the metadata.
 *
 * @throws when it is refused, e.g. with error 85 where nothing is under way that could be taken back
 */
export async function reassign(cluster: Cluster, move: Move): Promise<void> {
  const links = new Links(cluster, answerMs)
  const silent: string[] = []
  try {
    for (const broker of links.brokers) {
      const errorCode = await links
        .ask(broker, client => reassignPartition(client, move, answerMs))
        .catch((error: unknown) => {
          silent.push(`broker ${broker}: ${messageOf(error)}`)
          return undefined
        })
      if (errorCode === 0) return
      if (errorCode !== undefined)
        throw new Error(
          `the move of ${move.topic}-${move.partition} to ${move.replicas?.join(', ') ?? 'where it was'} was refused with error ${errorCode}`,
        )
    }
  } finally {
    links.close()
  }
  throw new Error(`no broker took the move of ${move.topic}-${move.partition}: ${silent.join('; ')}`)
}
