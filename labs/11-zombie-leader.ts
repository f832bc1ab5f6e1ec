/**
 * Lab 11: what may a leader promise that the controller cannot reach any more?
 * Setup: 3 brokers and a controller of its own, replication factor 3, min.insync.replicas 2.
 * Fault: the link between the leader and the controller breaks. The leader still reaches its followers and its clients, and believes that it
 *   leads; the controller declares it dead and has another broker lead.
 * Expect: with acks=all the old leader acknowledges nothing any more, since its followers have left it: nothing is lost.
 * Control: with acks=1 it goes on acknowledging, alone, and what it acknowledged must be caught as lost when it comes back.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import { node } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { produceBatch } from '#scripts/workload/hand-requests.ts'

const controller = 101
const many = 10

const valuesOf = (name: string): string[] => Array.from({ length: many }, (_, index) => `${name}:${index}`)

/** A client that has not heard of the election writes to the broker that led: one batch, recorded as its send. */
async function writeToZombie(workload: HandWorkload, zombie: number, acks: 1 | -1): Promise<number> {
  const name = `${workload.topic}-0`
  const values = valuesOf('zombie')
  const recorded = workload.recorder.client('producer-1')
  const bare = values.map(value => ['send', name, value] as const)
  recorded.invoke('send', bare)
  const question = {
    topic: workload.topic,
    partition: 0,
    records: values.map(value => ({ value, timestamp: Date.now() })),
    acks,
    timeoutMs: 3_000,
  }
  const { errorCode, offset } = await workload.links.ask(zombie, client => produceBatch(client, question))
  if (errorCode === 0)
    recorded.complete(
      'ok',
      values.map((value, index) => ['send', name, [offset + index, value]]),
    )
  else
    recorded.complete('info', bare, {
      code: String(errorCode),
      message: 'the old leader did not acknowledge it',
      definite: false,
    })
  return errorCode
}

function cutOff(acks: 1 | -1): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts =>
      new HandWorkload(parts, { replicationFactor: 3, settings: { 'min.insync.replicas': '2' }, finalRead: true }),
    async (run, workload) => {
      run.step('healthy')
      await workload.recordedWrite('producer-0', 0, valuesOf('before'))
      const { leader: zombie } = await workload.leader(0)
      run.step('the leader and the controller lose each other')
      await run.partition(node(zombie), node(controller))
      await run.until('another broker leads', 0, ({ leader }) => leader >= 0 && leader !== zombie)
      run.step('a client that knows nothing of it writes to the old leader')
      run.fact('error of the write to the old leader', await writeToZombie(workload, zombie, acks))
      const { errorCode } = await workload.fetchFrom(zombie, { partition: 0, offset: 0 })
      run.fact('error of a read from the old leader', errorCode)
      run.step('another client writes to the new leader')
      workload.believe(workload.links.brokers.find(id => id !== zombie) as number)
      await workload.recordedWrite('producer-2', 0, valuesOf('after'))
      run.step('the link is whole again')
      await run.healPartition()
      await run.until('the old leader is in sync again', 0, ({ isr }) => isr.includes(zombie))
    },
  )
}

const records = ['lost-write', 'unseen', 'vanished', 'inconsistent-offsets', 'replica-divergence'] as const

const requestTimedOut = 7
const notEnoughReplicas = 19
const notEnoughReplicasAfterAppend = 20

const stillBelieves = factCheck({
  name: 'old-leader-still-serves',
  promise: 'The old leader still answered a read as if it led: it has not heard of the election.',
  about: ['error of a read from the old leader'],
  broken: ({ 'error of a read from the old leader': code }) =>
    code === 0 ? undefined : `It answered with error ${code}.`,
})

export default lab({
  name: '11-zombie-leader',
  difficulty: 3,
  lesson:
    'A broker knows that it leads because the controller has told it so. If the link to the controller breaks, it hears nothing of a new election; but it still reaches its followers and its clients. The controller ends its session after broker.session.timeout.ms and elects another leader with a higher leader epoch; followers hear of it. To take a follower out of the in-sync set a leader asks the controller (AlterPartition), and the high watermark moves when every replica of the set has fetched.',
  exercises: [
    'Let a consumer read from the old leader meanwhile. Which records does it see, and can it tell?',
    'Cut the leader off from its followers as well. What changes for a client that writes to it?',
    'How long could the old leader go on if the session was ten minutes? Try it with broker.session.timeout.ms.',
    'Set min.insync.replicas=1. Does acks=all get an answer from the old leader now? Why?',
  ],
  summary: 'Cut a leader off from the controller only: it believes that it leads, and must not be able to acknowledge.',
  question:
    'A leader can reach its followers and its clients, but not the controller, which has elected another one. A client that has not heard of it writes to the old leader with acks=all. What does it get?',
  prediction: {
    choices: [
      'NOT_LEADER_OR_FOLLOWER: the followers tell the old leader of the election',
      'An acknowledgement, and the record is lost when the old leader comes back',
      'No acknowledgement: the followers fetch from the new leader, and the old one cannot shrink the in-sync set without the controller',
      'An acknowledgement, and the record is kept: the new leader fetches it from the old one',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 1, settings: quickFailover },
  needs: ['partition'],
  variants: [
    {
      name: 'main',
      summary: 'acks=all, min.insync.replicas=2',
      role: 'main',
      ...cutOff(-1),
      checks: [
        ...records,
        stillBelieves,
        factCheck({
          name: 'old-leader-cannot-acknowledge',
          promise: 'The write to the old leader was not acknowledged.',
          about: ['error of the write to the old leader'],
          broken: ({ 'error of the write to the old leader': code }) =>
            code === requestTimedOut || code === notEnoughReplicas || code === notEnoughReplicasAfterAppend
              ? undefined
              : `It was answered with error ${code}.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'acks-1',
      summary: 'acks=1: the old leader answers for itself alone',
      role: 'control',
      ...cutOff(1),
      checks: [...records, stillBelieves],
      expect: ['lost-write', 'unseen', 'vanished'],
      mustHold: ['replica-divergence', 'old-leader-still-serves'],
    },
  ],
  watch: [
    'Two leaders at one time: the metadata of the controller names one, and another one still answers. Their leader epochs differ.',
    'The fact "error of the write to the old leader": 7 (REQUEST_TIMED_OUT) with acks=all, 0 with acks=1.',
    'When the link is whole again the log of the old leader is cut where its epoch ends in the log of the new one.',
    'Turn the knob: cut the leader off from its followers as well (partition(node(zombie), everyNode)). Nothing changes for its clients: what counts is that the followers do not fetch from it.',
  ],
  explanation:
    'Kafka does not prevent two brokers from believing that they lead; it prevents two from acknowledging. The high watermark of the old leader moves only when every replica in its in-sync set has fetched, and its followers, told by the controller, fetch from the new leader now. To go on without them it would have to shrink the in-sync set, and only the controller may change that (AlterPartition, KIP-497, since 2.7; before, ZooKeeper with a version of the partition’s state), which refuses one that names an old epoch. So acks=all gets no answer, the client tries again and finds the new leader. acks=1 is the word of the old leader alone, worth nothing: its records are cut off when it comes back. A read is answered too, below the high watermark: old, but never wrong. In KRaft a broker that cannot reach the controller is fenced after broker.session.timeout.ms, nine seconds by default.',
  reading: [
    'KIP-497, in-sync sets are changed by the controller: https://cwiki.apache.org/confluence/display/KAFKA/KIP-497',
    'KIP-631, the broker heartbeat of KRaft: https://cwiki.apache.org/confluence/display/KAFKA/KIP-631',
    'KIP-841, fenced replicas may not join the in-sync set: https://cwiki.apache.org/confluence/display/KAFKA/KIP-841',
  ],
})
