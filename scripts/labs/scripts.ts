/** Fault scripts that several labs share. */
import type { Script } from './script.ts'
import { followersOf, leaderOf } from './targets.ts'

/**
 * Kills a leader that holds acknowledged records which its followers, still in the in-sync set, have not fetched: the followers are frozen,
 * the leader goes on alone and acknowledges what it is not asked to replicate, then it dies and a follower takes over by a clean election.
 * What a follower had asked for before it froze it still gets; all after that is on the leader only.
 */
export const loseTheUnreplicated: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  run.step('the followers freeze, the leader goes on alone')
  const followers = await run.pause(followersOf(0))
  await run.sleep(1_500)
  run.step('the leader dies before its followers come back')
  const [leader] = await run.kill(leaderOf(0))
  await run.resume({ name: 'the frozen followers', pick: () => followers })
  await run.until('a follower leads', 0, partition => partition.leader !== leader && partition.leader >= 0)
  await run.acknowledged(30)
}

/** What `loseTheUnreplicated` needs of the workload. */
export const unreplicatedWorkload = { acks: 1, idempotent: false, partitions: 1 } as const
