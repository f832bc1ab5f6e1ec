/**
 * Lab 06: what does a frozen follower do to writers and readers?
 * Setup: 3 brokers, replication factor 3, min.insync.replicas 2, acks=all.
 * Fault: SIGSTOP a follower until it has left the in-sync set, let it catch up, then the next one.
 * Expect: writes stall until the follower is out, then go on; the high watermark never goes back; nothing is lost.
 * Control: acks=1 does not wait for the in-sync set. When the leader dies, records above the high watermark are lost.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { Script } from '#scripts/labs/script.ts'
import { loseTheUnreplicated, unreplicatedWorkload } from '#scripts/labs/scripts.ts'
import { followerOf, node } from '#scripts/labs/targets.ts'

const freezeFollowers: Script = async run => {
  run.step('healthy')
  await run.acknowledged(60)
  for (const round of ['first', 'second']) {
    run.step(`${round} follower freezes`)
    const [frozen] = await run.pause(followerOf(0, { avoidController: true }))
    await run.until('it has left the in-sync set', 0, partition => !partition.isr.includes(frozen as number))
    await run.acknowledged(60)
    run.step(`${round} follower wakes up and catches up`)
    await run.resume(node(frozen as number))
    await run.until('it is in the in-sync set again', 0, partition => partition.isr.includes(frozen as number))
    await run.acknowledged(40)
  }
}

export default lab({
  name: '06-isr-and-high-watermark',
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
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'acks=all, min.insync.replicas=2; one follower after the other freezes and comes back',
      role: 'main',
      workload: { partitions: 1 },
      script: freezeFollowers,
      checks: allChecks,
      expect: 'valid',
    },
    {
      name: 'acks-1',
      summary: 'acks=1: the leader acknowledges above the high watermark, then dies',
      role: 'control',
      workload: unreplicatedWorkload,
      script: loseTheUnreplicated,
      checks: allChecks,
      expect: ['lost-write', 'unseen'],
    },
  ],
  watch: [
    'The gap between acknowledgements lasts as long as the follower counts as in sync.',
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
