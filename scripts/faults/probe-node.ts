/** A look at a node with a client's eyes, for proofs: does it answer? */
import type { Cluster } from '../cluster/cluster.ts'
import { poll } from '../cluster/clock.ts'
import { probe, type Ending } from '../proxy/probe.ts'
import { probeClientId } from '../proxy/request-faults.ts'
import type { FaultProof } from './kind.ts'

/** How long an answer is waited for that should not come. */
const silenceMs = 700
/** Until what was done to a node shows. */
const showMs = 5_000

export async function askNode(cluster: Cluster, id: number, timeoutMs = silenceMs): Promise<Ending> {
  const node = (await cluster.nodes()).find(each => each.id === id)
  if (node === undefined) return 'refused'
  const { ssl } = cluster.kafkaOptions()
  const { ending } = await probe({ host: node.host, port: node.port }, { clientId: probeClientId, timeoutMs, ssl })
  return ending
}

/** Before something is done to it. A node that is slow is waited for: of one that does not answer nothing could be proved. */
export async function askNodeFirst(cluster: Cluster, id: number): Promise<Ending> {
  return await askNode(cluster, id, showMs)
}

const sentences: Readonly<Record<Ending, string>> = {
  answered: 'it answers',
  refused: 'a connection is refused',
  reset: 'a connection is reset',
  closed: 'a connection is closed',
  silent: `no answer in ${silenceMs} ms`,
}

/** That the node, which answered `before`, does not answer now. */
export async function proveMute(cluster: Cluster, id: number, before: Ending): Promise<FaultProof> {
  if (before !== 'answered')
    return { node: id, shown: undefined, text: `it did not answer before (${before}): nothing to compare with` }
  // A proxy or a gate in front of a node hears a little later that it is gone.
  const mute = await poll(
    async () => {
      const ending = await askNode(cluster, id)
      return ending === 'answered' ? undefined : ending
    },
    { everyMs: 50, timeoutMs: showMs },
  )
  const text = mute === undefined ? 'it still answers' : `${sentences[mute]}; it answered before`
  return { node: id, shown: mute !== undefined, text }
}
