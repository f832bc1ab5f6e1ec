/**
 * Lab 06: what does a frozen follower do to writers and readers?
 * Setup: 3 brokers and a controller of its own, replication factor 3, min.insync.replicas 2, acks=all.
 * Fault: SIGSTOP a follower until it has left the in-sync set, let it catch up, then the other one.
 * Expect: writes stall until the follower is out, then go on; the high watermark never goes back; nothing is lost.
 * Control: acks=1 does not wait for the in-sync set. When the leader dies, records above the high watermark are lost.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { unknown, type OwnCheck } from '#scripts/checkers/result.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import { longestWaitUntil } from '#scripts/labs/longest-wait.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { acksOneControl } from '#scripts/labs/scripts.ts'
import { followersOf, node } from '#scripts/labs/targets.ts'

const freezeFollowers: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  const followers = await run.every(followersOf(0))
  for (const [index, follower] of followers.entries()) {
    const which = index === 0 ? 'first' : 'second'
    run.step(`${which} follower freezes`)
    await run.pause(node(follower))
    run.fact(`longest wait of writers while the ${which} was in sync, ms`, await longestWait(run, follower))
    await run.acknowledged(60)
    run.step(`${which} follower wakes up and catches up`)
    await run.resume(node(follower))
    await run.until('it is in the in-sync set again', 0, partition => partition.isr.includes(follower))
    await run.acknowledged(40)
  }
  run.fact('followers that were frozen', new Set(followers).size)
}

/** How long nothing at all was acknowledged, until the follower has left the in-sync set. */
async function longestWait(run: LabRun, follower: number): Promise<number> {
  const out = run.until('it has left the in-sync set', 0, ({ isr }) => !isr.includes(follower))
  return (await longestWaitUntil(run, out)).waitMs
}

/** Less than the session of a frozen broker with its controller lasts: a busy machine makes the wait longer, never shorter. */
const waitMinMs = 1_000

const [firstWait, secondWait] = ['first', 'second'].map(
  which => `longest wait of writers while the ${which} was in sync, ms`,
) as [string, string]

const writersWait = factCheck({
  name: 'writers-wait',
  promise:
    'Nothing was acknowledged for more than a second while a frozen follower was in sync, each of the two times.',
  about: [firstWait, secondWait, 'followers that were frozen'],
  broken: facts =>
    Number(facts[firstWait]) >= waitMinMs &&
    Number(facts[secondWait]) >= waitMinMs &&
    facts['followers that were frozen'] === 2
      ? undefined
      : `Writers waited ${facts[firstWait]} ms and ${facts[secondWait]} ms, for ${facts['followers that were frozen']} followers.`,
})

/** Of one leader epoch: a new leader learns the high watermark from its followers, and begins with an older one. */
const highWatermarkRises: OwnCheck = {
  name: 'high-watermark-rises',
  judge({ history }) {
    const { name } = highWatermarkRises
    const highest = new Map<string, number>()
    let looks = 0
    const wrong: string[] = []
    for (const operation of history) {
      if (operation.process !== 'observer' || operation.f !== 'observe') continue
      for (const [partition, { highWatermark, leaderEpoch }] of Object.entries(operation.value.partitions)) {
        if (highWatermark === null) continue
        const reign = `${partition} in leader epoch ${leaderEpoch}`
        const before = highest.get(reign)
        if (before !== undefined) looks++
        if (before !== undefined && highWatermark < before)
          wrong.push(`That of ${reign} went from ${before} to ${highWatermark}.`)
        highest.set(reign, Math.max(before ?? -1, highWatermark))
      }
    }
    if (looks === 0) return unknown(name, 'The high watermark was not seen twice under one leader.')
    const figures = { 'times it was compared': looks }
    const explanation = wrong[0] ?? 'The high watermark never went back under one leader.'
    return { name, valid: wrong.length === 0, explanation, count: wrong.length, cases: [], figures }
  },
}

export default lab({
  name: '06-isr-and-high-watermark',
  difficulty: 1,
  lesson:
    "Followers fetch from the leader as consumers do, and the leader knows from their fetches how far each of them is. The in-sync set (ISR) are the replicas that have been at the end of the leader's log within replica.lag.time.max.ms. The high watermark is the offset up to which every replica of the in-sync set has the records; consumers read no further. A frozen process (SIGSTOP) is not dead: its connections stay open, its memory stays, and it does nothing. The controller ends the session of a broker whose heartbeats stay away (broker.session.timeout.ms).",
  exercises: [
    'Raise replica.lag.time.max.ms and broker.session.timeout.ms. Which of the two decides how long the gap is?',
    'Freeze both followers. What do producers get, and when?',
    "Slow a follower instead of freezing it (breakInside('slow-disk', followerOf(0), …)). Does it leave the in-sync set?",
    "Follow one record in the report: when was it in the leader's log, and when could a consumer have it?",
  ],
  summary: 'Freeze a follower: writes with acks=all wait until it leaves the in-sync set, then go on without it.',
  question:
    'acks=all, three in-sync replicas, min.insync.replicas=2. One follower freezes (SIGSTOP). What do producers see?',
  prediction: {
    choices: [
      'Nothing: two of three replicas are enough',
      'Writes stall until the follower has been removed from the in-sync set, then go on',
      'Writes fail with NOT_ENOUGH_REPLICAS until the follower is back',
      'Writes stall until the follower is back',
    ],
    answer: 1,
  },
  topology: { brokers: 3, controllers: 1, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'acks=all, min.insync.replicas=2; one follower after the other freezes and comes back',
      role: 'main',
      workload: { partitions: 1 },
      script: freezeFollowers,
      checks: [...allChecks, writersWait, highWatermarkRises],
      expect: 'valid',
    },
    acksOneControl('acks=1: the leader acknowledges above the high watermark, then dies'),
  ],
  watch: [
    'The gap between acknowledgements lasts as long as the follower counts as in sync: the facts "longest wait of writers …".',
    "The high watermark stands still while the leader's log end offset runs ahead (with acks=1), and never goes back.",
    'The in-sync set: the frozen follower leaves, and returns when it has caught up.',
  ],
  explanation:
    'acks=all does not mean "a majority" but "everyone in the in-sync set". A replica stays in that set until it has been silent for replica.lag.time.max.ms, or until the controller fences its broker because the session ended. Until then the high watermark cannot pass what the frozen follower has, writers wait, and readers see nothing new. Then the leader shrinks the set and all go on with two. min.insync.replicas only says how small the set may become before writes are refused. With acks=1 the leader answers before its followers have the record: above the high watermark, where a change of leader may cut the log.',
  reading: [
    'Kafka documentation, "Replicated Logs: Quorums, ISRs, and State Machines": https://kafka.apache.org/documentation/#replication',
    'KIP-679, acks=all by default: https://cwiki.apache.org/confluence/display/KAFKA/KIP-679',
  ],
})
