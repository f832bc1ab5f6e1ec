/** Fault scripts that several labs share. */
import { allChecks, type CheckName } from '../checkers/check.ts'
import type { ObservedPartition } from '../history/operation.ts'
import { Links } from '../workload/links.ts'
import { consumer, debuggingReplica, latest, listOffsets, topicMetadata } from '../workload/observe-requests.ts'
import type { Variant } from './lab.ts'
import type { LabRun, Script } from './script.ts'
import { followersOf, leaderOf, node } from './targets.ts'

const patienceMs = 45_000
/** A busy machine may need a minute to start a broker of Apache Kafka. */
export const startMs = 150_000
const answerMs = 5_000
const pollMs = 20
const attemptsMax = 5

/**
 * Waits until so many records are in the log of the leader which not all in-sync replicas have. It alone is asked: an observation of all would wait
 * for those that are frozen, which are in sync for a few seconds only.
 *
 * @returns false: the leader alone is in sync, so there will be none
 */
async function isAhead(run: LabRun, leader: number, records: number): Promise<boolean> {
  const { cluster, workload } = run
  const { topic } = workload
  const { clock } = cluster
  const links = new Links(cluster, answerMs)
  const ask = async (replicaId: typeof consumer | typeof debuggingReplica): Promise<number> => {
    const question = { topic, partitions: [0], replicaId, timestamp: latest } as const
    const end = (await links.ask(leader, client => listOffsets(client, question))).get(0)
    if (end === undefined) throw new Error(`broker ${leader} does not tell where its log of partition 0 ends`)
    return end
  }
  const deadlineMs = clock.nowMs() + patienceMs
  try {
    const first = await ask(debuggingReplica)
    let base: number | undefined
    const ahead = async (): Promise<number> => {
      const end = await ask(debuggingReplica)
      // Producers that wait for all replicas write no more than this. To a consumer the log ends at the high watermark.
      if (records === 1) return end - (await ask(consumer))
      // What a follower had asked for before it froze it still gets, and that is all there is when the next record comes.
      if (end > first) base ??= end
      return base === undefined ? 0 : end - base
    }
    while ((await ahead()) < records) {
      const { partitions } = await links.ask(leader, client => topicMetadata(client, topic))
      if (partitions.find(({ index }) => index === 0)?.isr.length === 1) return false
      if (clock.nowMs() > deadlineMs)
        throw new Error(`waited ${patienceMs} ms in vain until broker ${leader} is ahead by ${records} records`)
      await clock.sleep(pollMs)
    }
    return true
  } finally {
    links.close()
  }
}

/**
 * Kills a leader that holds records which its followers, still in the in-sync set, have not fetched: the followers are frozen, the leader goes
 * on alone, then it dies and a follower takes over by a clean election. What a follower had asked for before it froze it still gets; all after
 * that is on the leader only. On a machine that is too slow the followers leave the in-sync set before the leader is dead; that is seen, and it
 * begins again.
 *
 * @param records  so many are ahead when the leader dies; with acks=all producers wait, so each has written one batch at most
 */
export function leaderDiesAhead(records: number): Script {
  return async run => {
    run.step('healthy')
    await run.acknowledged(60)
    let attempt = 1
    while (!(await diesAhead(run, records))) {
      if (attempt++ === attemptsMax)
        throw new Error(`the followers left the in-sync set before the leader was dead, ${attemptsMax} times`)
      run.step('the followers had left the in-sync set; when all are in sync, once more')
      const inSync = ({ isr, replicas }: ObservedPartition) => isr.length === replicas.length
      await run.until('all replicas are in sync', 0, inSync, startMs)
    }
    await run.acknowledged(30)
  }
}

/** @returns whether a follower was elected; else all brokers are back */
async function diesAhead(run: LabRun, records: number): Promise<boolean> {
  run.step('the followers freeze, the leader goes on alone')
  const followers = await run.pause(followersOf(0))
  const leader = await run.who(leaderOf(0))
  if (!(await isAhead(run, leader, records))) {
    await run.resume(node(...followers))
    return false
  }
  run.step('the leader dies before its followers come back')
  await run.kill({ name: 'the leader of partition 0', pick: () => [leader] })
  await run.resume(node(...followers))
  const elected = { isElected: false }
  await run.until('a follower leads, or none was in sync any more', 0, partition => {
    elected.isElected = partition.leader >= 0 && partition.leader !== leader
    return elected.isElected || (partition.leader < 0 && partition.isr.every(id => id === leader))
  })
  if (!elected.isElected) await run.start(node(leader))
  return elected.isElected
}

/** The same for clients that have been promised little: what they were told is lost. */
export const loseTheUnreplicated: Script = leaderDiesAhead(15)

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
