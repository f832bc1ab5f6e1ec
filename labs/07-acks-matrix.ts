/**
 * Lab 07: which combination of acks, min.insync.replicas and election keeps acknowledged records when the leader dies?
 * Setup: 3 brokers and a controller of its own, replication factor 3, one partition.
 * Fault: the followers freeze, the leader goes on alone and is killed, the followers come back. "Quickly": before the in-sync set has
 *   shrunk, so a follower is elected cleanly. "Alone": after it has shrunk to the leader, with unclean election allowed. "Absent": a follower is
 *   away, the two others go on and die, and the one that was away is elected uncleanly.
 * Expect: acks=all keeps everything in a clean election; when the leader alone is left, only min.insync.replicas=2 keeps everything.
 * Control: acks=0, acks=1, and acks=all with min.insync.replicas=1 under unclean election must be caught losing records. So must
 *   min.insync.replicas=2 when the third replica, which was away, is elected.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { heldInLosses, leaderDiesAhead, loseTheUnreplicated } from '#scripts/labs/scripts.ts'
import { followerOf, followersOf, leaderOf, node } from '#scripts/labs/targets.ts'
import { produceBatch } from '#scripts/workload/hand-requests.ts'
import { Links } from '#scripts/workload/links.ts'

const requestTimedOut = 7
const notEnoughReplicas = 19
const notEnoughReplicasAfterAppend = 20
const answerMs = 10_000
const writesAtMost = 5

/**
 * What the leader answers to a write with acks=all. Others may know the smaller in-sync set a moment before the leader does; what it takes in that moment
 * waits for replicas that are out of the set by then, and is answered late, as not written: then it is asked again.
 */
async function errorOfAWrite(run: LabRun, leader: number): Promise<number> {
  const links = new Links(run.cluster, answerMs)
  try {
    for (let count = 1; ; count++) {
      const write = {
        topic: run.workload.topic,
        partition: 0,
        records: [{ value: `refused:${count}` }],
        acks: -1,
        timeoutMs: 5_000,
      } as const
      const { errorCode } = await links.ask(leader, client => produceBatch(client, write))
      const cameTooEarly = errorCode === requestTimedOut || errorCode === notEnoughReplicasAfterAppend
      if (!cameTooEarly || count === writesAtMost) return errorCode
    }
  } finally {
    links.close()
  }
}

/** @param writes  what the leader that is left does with writes: with min.insync.replicas=2 it refuses them, with 1 it is "all" */
function leaderAlone(writes: 'refused' | 'taken'): Script {
  return async run => {
    run.step('healthy')
    await run.acknowledged(60)
    run.step('the followers freeze until the leader alone is in sync')
    const followers = await run.pause(followersOf(0))
    await run.until('only the leader is in sync', 0, partition => partition.isr.length === 1)
    if (writes === 'taken') await run.acknowledged(30)
    else run.fact('error of a write to the leader alone', await errorOfAWrite(run, await run.who(leaderOf(0))))
    run.step('the leader dies, the followers come back')
    const [leader] = await run.kill(leaderOf(0))
    await run.resume(node(...followers))
    await run.until('a follower leads', 0, partition => partition.leader >= 0 && partition.leader !== leader)
    await run.acknowledged(30)
  }
}

const absentLeads: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  run.step('a follower is away, the two others go on')
  const [absent] = (await run.kill(followerOf(0))) as [number]
  let others: readonly number[] = []
  await run.until('the two others are in sync', 0, ({ isr }) => {
    others = isr
    return isr.length === 2 && !isr.includes(absent)
  })
  await run.acknowledged(60)
  run.step('both die at once, the one that was away comes back')
  await run.kill(node(...others))
  await run.start(node(absent))
  await run.until('it leads', 0, ({ leader }) => leader === absent)
  run.step('the two others come back')
  await run.start(node(...others))
  await run.acknowledged(30)
}

type Acks = 0 | 1 | -1
type Death = 'quickly' | 'alone' | 'absent'

const deaths: Readonly<Record<Death, { readonly suffix: string; readonly words: string }>> = {
  quickly: { suffix: '', words: 'the leader dies before its followers have fetched' },
  alone: { suffix: '-unclean', words: 'the last in-sync replica dies and unclean election is allowed' },
  absent: {
    suffix: '-unclean-absent',
    words: 'both in-sync replicas die, the third was away, and unclean election is allowed',
  },
}

function scriptOf(death: Death, acks: Acks, minInsync: 1 | 2): Script {
  if (death === 'absent') return absentLeads
  if (death === 'alone') return leaderAlone(minInsync === 2 ? 'refused' : 'taken')
  return acks === -1 ? leaderDiesAhead(1) : loseTheUnreplicated
}

const refuses = factCheck({
  name: 'leader-alone-refuses',
  promise: 'The leader refused a write when it alone was in sync, with NOT_ENOUGH_REPLICAS.',
  about: ['error of a write to the leader alone'],
  broken: ({ 'error of a write to the leader alone': code }) =>
    code === notEnoughReplicas ? undefined : `It was answered with error ${code}.`,
})

function cell(acks: Acks, minInsync: 1 | 2, death: Death, outcome: 'keeps' | 'loses'): Variant {
  const acksName = acks === -1 ? 'all' : String(acks)
  const unclean = death !== 'quickly'
  const { suffix, words } = deaths[death]
  return {
    name: `acks-${acksName}-min-${minInsync}${suffix}`,
    summary: `acks=${acksName}, min.insync.replicas=${minInsync}, ${words}`,
    role: outcome === 'keeps' ? 'main' : 'control',
    workload: {
      acks,
      // After an unclean election the new leader refuses the sequence numbers of the old one; this cell is about the records.
      idempotent: acks === -1 && outcome === 'keeps',
      partitions: 1,
      settings: {
        'min.insync.replicas': String(minInsync),
        ...(unclean ? { 'unclean.leader.election.enable': 'true' } : {}),
      },
    },
    script: scriptOf(death, acks, minInsync),
    checks: [...allChecks, ...(death === 'alone' && minInsync === 2 ? [refuses] : [])],
    expect: outcome === 'keeps' ? 'valid' : ['lost-write', 'unseen', 'vanished'],
    ...(outcome === 'keeps' ? {} : { mustHold: heldInLosses }),
  }
}

export default lab({
  name: '07-acks-matrix',
  difficulty: 2,
  lesson:
    'Three settings meet here. acks, of the producer: how many replicas must have a record before it is acknowledged (0: nobody is asked, 1: the leader, all: the in-sync set). min.insync.replicas, of the topic: how small the in-sync set may be. unclean.leader.election.enable, of the topic: whether a replica outside of the in-sync set may lead when nobody else can. A leader can die at two moments: before the in-sync set has shrunk, so that a follower that lacks the newest records still counts as in sync, or afterwards, when only the leader is left in it.',
  exercises: [
    'Write down for each cell, before you run it, whether it loses. Which ones did you get wrong?',
    'Set replication factor 5 and min.insync.replicas 3. How many brokers may die one after the other without loss, and how many without writes being refused?',
    'Which cell is the default of a topic that is created without settings, with a producer of today? And with a producer of 2020?',
    'What does availability cost? Compare how many sends failed in acks=all with min.insync.replicas 1 and 2.',
  ],
  summary: 'acks × min.insync.replicas × the way the leader dies: which cells lose acknowledged records?',
  question:
    'The followers of a leader freeze until it alone is in sync; it goes on as far as its settings let it, and is killed. Unclean election is allowed, so a follower leads when they wake up. With which setting is every acknowledged record still there?',
  prediction: {
    choices: [
      'acks=1 with min.insync.replicas=2',
      'acks=all with min.insync.replicas=1',
      'acks=all with min.insync.replicas=2',
      'None: an unclean election always loses acknowledged records',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 1, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    cell(-1, 2, 'quickly', 'keeps'),
    cell(-1, 1, 'quickly', 'keeps'),
    cell(1, 2, 'quickly', 'loses'),
    cell(1, 1, 'quickly', 'loses'),
    cell(0, 2, 'quickly', 'loses'),
    cell(-1, 2, 'alone', 'keeps'),
    cell(-1, 1, 'alone', 'loses'),
    cell(-1, 2, 'absent', 'loses'),
  ],
  watch: [
    'acks=1 with min.insync.replicas=2 loses just as acks=1 with 1: the setting is only looked at for acks=all.',
    'acks=all, min.insync.replicas=2 with the leader alone: writes fail with NOT_ENOUGH_REPLICAS, so there is nothing to lose.',
    'acks=all, min.insync.replicas=1: the leader alone is "all", and acknowledges.',
    'acks-all-min-2-unclean-absent: two replicas had every record, and the third, which had been away, was elected.',
  ],
  explanation:
    'acks says when the leader answers: at once (0), when it has the record (1), or when every in-sync replica has it (all). min.insync.replicas says how small "every in-sync replica" may become before acks=all is refused; it means nothing for acks=0 and 1. A clean election picks a replica that was in sync, so it has everything that acks=all ever acknowledged. If the in-sync set has shrunk to the leader and the leader dies, there is nobody to elect cleanly: either the partition waits for it, or an unclean election takes a replica that lacks records. Only records that two replicas had to have before they were acknowledged survive that here, since the follower that is elected is one of them. It is no absolute promise: with a third replica that was away, and the two that have the record dead, the third is elected, and the record is gone.',
  reading: [
    'Kafka documentation, producer setting acks: https://kafka.apache.org/documentation/#producerconfigs_acks',
    'Kafka documentation, topic setting min.insync.replicas: https://kafka.apache.org/documentation/#topicconfigs_min.insync.replicas',
    'Kafka documentation, "Unclean leader election": https://kafka.apache.org/documentation/#design_uncleanleader',
  ],
})
