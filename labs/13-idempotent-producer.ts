/**
 * Lab 13: what happens when the acknowledgement of a write is lost?
 * Setup: 3 brokers, replication factor 3, min.insync.replicas 2, acks=all. One Produce response in five is lost: the broker wrote the batch
 *   and answered, the connection broke before the client had the answer, and the client sends the batch again.
 * Fault: only on the way back to the client; no broker is touched.
 * Expect: with an idempotent producer every record is in the log once.
 * Control: without idempotence the same lost responses must be caught as duplicates.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { lab, quickFailover } from '#scripts/labs/lab.ts'
import type { Script } from '#scripts/labs/script.ts'
import { heldInLosses } from '#scripts/labs/scripts.ts'
import { AppendWorkload } from '#scripts/workload/append.ts'

/** By chance a run may lose few responses; with fewer it shows nothing, so it goes on. */
const lostMin = 10
/** One in five that was never lost among as many would be no chance any more. */
const extraRoundsMax = 40

const justWrite: Script = async run => {
  const { workload } = run
  if (!(workload instanceof AppendWorkload)) throw new Error('expected the append workload')
  run.step('one Produce response in five is lost')
  await run.acknowledged(400)
  for (let round = 0; workload.producers.lostResponses < lostMin; round++) {
    if (round === extraRoundsMax)
      throw new Error(`only ${workload.producers.lostResponses} responses were lost, where ${lostMin} are needed`)
    await run.acknowledged(50)
  }
  run.fact('responses that were lost', workload.producers.lostResponses)
}

export default lab({
  name: '13-idempotent-producer',
  difficulty: 1,
  lesson:
    'A client sends a batch and waits for the answer. If the connection breaks in between, it cannot know whether the broker wrote the batch: it did not come, or the answer did not. Most clients send it again. An idempotent producer (enable.idempotence) asks the broker for a producer id at the start, and gives its batches numbers for each partition. Brokers keep, for each producer, what they saw last.',
  exercises: [
    'Restart the producer in the middle (a new instance, the same records). What is in the log now, and whose task is it to prevent that?',
    'Lose the request instead of the answer. Is there a difference for the client, and for the log?',
    'Write to a cluster of your own with an idempotent producer and look at a batch with ./faultline log dump: where are producer id, epoch and sequence number?',
    'How many batches may be in flight for this to work? Lab 14 has the reason.',
  ],
  summary: 'Lose acknowledgements on the way back: a retry is written twice unless the producer is idempotent.',
  question:
    'The broker wrote a batch, but its answer is lost and the client sends the batch again. How often is it in the log?',
  prediction: {
    choices: [
      'Once: the broker compares the records',
      'Twice, always',
      'Twice, unless the producer is idempotent: then the broker knows the batch by producer id, epoch and sequence number',
      'Never: an unacknowledged batch is removed again',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'idempotent producer; one Produce response in five is lost',
      role: 'main',
      workload: { loseOneResponseIn: 5 },
      script: justWrite,
      checks: allChecks,
      expect: 'valid',
    },
    {
      name: 'not-idempotent',
      summary: 'the same without idempotence',
      role: 'control',
      workload: { loseOneResponseIn: 5, idempotent: false },
      script: justWrite,
      checks: allChecks,
      expect: ['duplicate'],
      mustHold: ['lost-write', 'unseen', 'vanished', ...heldInLosses],
    },
  ],
  watch: [
    'The fact "responses that were lost": as many sends were made again. In the control most of what they acknowledged is there twice.',
    'Sends that took two attempts: their latency contains a new connection.',
    'In the control, the copies of a duplicate carry no sequence number.',
  ],
  explanation:
    'A client that gets no answer cannot know whether the write happened. If it sends again it risks a duplicate, if it does not it risks a loss. An idempotent producer gets a producer id and numbers its batches per partition. The leader (and, since the numbers are in the log, every later leader) remembers the last five batches of each producer: a batch that it has already is acknowledged again with its old offset and not written. It protects one producer instance: a restarted application gets a new producer id, and what it sends again is new to the broker.',
  reading: [
    'KIP-98, exactly once delivery: https://cwiki.apache.org/confluence/display/KAFKA/KIP-98',
    'KIP-360, losing producer state: https://cwiki.apache.org/confluence/display/KAFKA/KIP-360',
  ],
})
