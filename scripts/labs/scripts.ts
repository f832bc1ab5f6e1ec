/** Fault scripts that several labs share. */
import { allChecks, type CheckName } from '../checkers/check.ts'
import { Links } from '../workload/links.ts'
import { debuggingReplica, latest, listOffsets } from '../workload/observe-requests.ts'
import type { Variant } from './lab.ts'
import type { LabRun, Script } from './script.ts'
import { followersOf, leaderOf, node } from './targets.ts'

const patienceMs = 45_000
const answerMs = 5_000
const pollMs = 20
const attemptsMax = 3

/**
 * Waits until the log of this broker has so many more records. It alone is asked: an observation of all would wait for those that are frozen,
 * which are in sync for a few seconds only.
 */
export async function logGrows(run: LabRun, broker: number, records: number): Promise<void> {
  const { cluster, workload } = run
  const { clock } = cluster
  const links = new Links(cluster, answerMs)
  const question = { topic: workload.topic, partitions: [0], replicaId: debuggingReplica, timestamp: latest } as const
  const ask = async (): Promise<number> => {
    const end = (await links.ask(broker, client => listOffsets(client, question))).get(0)
    if (end === undefined) throw new Error(`broker ${broker} does not tell where its log of partition 0 ends`)
    return end
  }
  const deadlineMs = clock.nowMs() + patienceMs
  try {
    const goal = (await ask()) + records
    while ((await ask()) < goal) {
      if (clock.nowMs() > deadlineMs)
        throw new Error(`waited ${patienceMs} ms in vain until the log of broker ${broker} has ${records} more records`)
      await clock.sleep(pollMs)
    }
  } finally {
    links.close()
  }
}

/**
 * Kills a leader that holds records which its followers, still in the in-sync set, have not fetched: the followers are frozen, the leader goes
 * on alone, then it dies and a follower takes over by a clean election. What a follower had asked for before it froze it still gets; all after
 * that is on the leader only. On a machine that is too slow the followers leave the in-sync set before the leader is dead; then nobody can be
 * elected, which is seen, and it begins again.
 *
 * @param records  so many more are in the leader's log when it dies; with acks=all producers wait, so each has written one batch at most
 */
export function leaderDiesAhead(records: number): Script {
  return async run => {
    run.step('healthy')
    await run.acknowledged(60)
    for (let attempt = 1; ; attempt++) {
      run.step('the followers freeze, the leader goes on alone')
      const followers = await run.pause(followersOf(0))
      const leader = await run.who(leaderOf(0))
      await logGrows(run, leader, records)
      run.step('the leader dies before its followers come back')
      await run.kill({ name: 'the leader of partition 0', pick: () => [leader] })
      await run.resume(node(...followers))
      let isElected = false
      await run.until('a follower leads, or none was in sync any more', 0, partition => {
        isElected = partition.leader >= 0 && partition.leader !== leader
        return isElected || (partition.leader < 0 && partition.isr.every(id => id === leader))
      })
      if (isElected) break
      if (attempt === attemptsMax)
        throw new Error(`the followers had left the in-sync set before the leader was dead, ${attemptsMax} times`)
      run.step('the followers had left the in-sync set: the leader comes back, and once more')
      await run.start(node(leader))
      await run.until('all replicas are in sync', 0, ({ isr, replicas }) => isr.length === replicas.length)
    }
    await run.acknowledged(30)
  }
}

/** The same for clients that have been promised little: what they were told is lost. */
export const loseTheUnreplicated: Script = leaderDiesAhead(30)

/** What `loseTheUnreplicated` needs of the workload. */
export const unreplicatedWorkload = { acks: 1, idempotent: false, partitions: 1 } as const

/** A control that every lab about replicated records may have: with acks=1 a dead leader takes acknowledged records with it. */
export function acksOneControl(summary: string): Variant {
  return {
    name: 'acks-1',
    summary,
    role: 'control',
    workload: unreplicatedWorkload,
    script: loseTheUnreplicated,
    checks: allChecks,
    expect: ['lost-write', 'unseen'],
    mustHold: heldInLosses,
  }
}

/** Checks that hold whatever a dead leader takes with it: replicas agree, and nobody reads what was not written. */
export const heldInLosses: readonly CheckName[] = [
  'log-start',
  'garbage-read',
  'aborted-read',
  'G1c',
  'G1c-process',
  'G1c-realtime',
  'replica-divergence',
]
