/**
 * A request to a controller that froze would hold its sender for the whole request timeout, although another controller leads by then.
 * This ends the wait as soon as the quorum names another leader; what became of the request is unknown, as after a lost connection.
 */
import type { Address, Environment } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import type { MetadataQuorum } from '../raft/raft.ts'

const lookEveryMs = 250

/** Settles as `answer` does, or rejects with NetworkError once the leader's address is known and not `asked` any more. */
export function unlessControllerMoves<Response>(
  environment: Environment,
  quorum: Pick<MetadataQuorum, 'leaderAddress'>,
  asked: Address,
  answer: Promise<Response>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    let timer = environment.timers.after(lookEveryMs, look)
    function look(): void {
      const leader = quorum.leaderAddress()
      if (leader !== undefined && (leader.host !== asked.host || leader.port !== asked.port))
        reject(new NetworkError('CONTROLLER_MOVED', `${asked.host}:${asked.port} is not the controller any more`))
      else timer = environment.timers.after(lookEveryMs, look)
    }
    answer.then(resolve, reject).finally(() => timer.cancel())
  })
}
