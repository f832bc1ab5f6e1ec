/**
 * Lab 02: does a key stay in order when its topic gets more partitions?
 * Setup: 3 brokers, a topic with 3 partitions, a real producer that lets the client choose the partition by the key.
 * Fault: the topic grows from 3 to 6 partitions between two writes of every key.
 * Expect: within each partition the order of the writes holds, always. A key stays in one partition while nothing grows, or when the producer
 *   chooses the partition by a rule that does not change.
 * Control: with the default partitioner some keys must be found in two partitions after the growth.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { kafkaClient } from '#scripts/workload/kafkajs-client.ts'
import { topicMetadata } from '#scripts/workload/observe-requests.ts'

const partitionsBefore = 3
const partitionsAfter = 6
const keys = Array.from({ length: 12 }, (_, index) => `user-${index}`)
const writesEach = 4

const keyOf = (value: string): string => value.slice(0, value.lastIndexOf(':'))
const numberOf = (value: string): number => Number(value.slice(value.lastIndexOf(':') + 1))

type Choice = 'client' | 'fixed'

/** Writes the given numbers of every key, one after the other. */
async function write(workload: HandWorkload, numbers: readonly number[], choice: Choice): Promise<void> {
  const producer = kafkaClient(workload.cluster, 'lab-writer').producer({
    idempotent: true,
    allowAutoTopicCreation: false,
  })
  await producer.connect()
  try {
    for (const number of numbers) {
      const messages = keys.map((key, index) => ({
        key,
        value: `${key}:${number}`,
        ...(choice === 'fixed' ? { partition: index % partitionsBefore } : {}),
      }))
      await producer.send({ topic: workload.topic, acks: -1, messages })
    }
  } finally {
    await producer.disconnect()
  }
}

async function grow(workload: HandWorkload): Promise<void> {
  await workload.admin(async admin => {
    await admin.createPartitions({
      topicPartitions: [{ topic: workload.topic, count: partitionsAfter }],
    })
  })
  for (const broker of workload.links.brokers) {
    const ask = async () =>
      (await workload.links.ask(broker, client => topicMetadata(client, workload.topic))).partitions.filter(
        ({ leader }) => leader >= 0,
      ).length
    await workload.until(`broker ${broker} knows leaders of all partitions`, ask, count => count === partitionsAfter)
  }
}

function growing(grows: boolean, choice: Choice): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts, { partitions: partitionsBefore, replicationFactor: 3 }),
    async (run, workload) => {
      run.step('half of the writes of every key')
      const half = writesEach / 2
      await write(workload, [...Array(half).keys()], choice)
      if (grows) {
        run.step('the topic grows to six partitions')
        await grow(workload)
      }
      run.step('the other half')
      await write(
        workload,
        [...Array(half).keys()].map(number => number + half),
        choice,
      )
      run.step('every partition is read')
      const places = new Map<string, Set<number>>()
      let outOfOrder = 0
      for (let partition = 0; partition < (grows ? partitionsAfter : partitionsBefore); partition++) {
        const last = new Map<string, number>()
        for (const { value } of await workload.read(partition, 0)) {
          const [key, number] = [keyOf(value ?? ''), numberOf(value ?? '')]
          if (number < (last.get(key) ?? -1)) outOfOrder++
          last.set(key, number)
          places.set(key, (places.get(key) ?? new Set()).add(partition))
        }
      }
      run.fact('keys', places.size)
      run.fact('keys in more than one partition', [...places.values()].filter(({ size }) => size > 1).length)
      run.fact('records before an older one of their key, within a partition', outOfOrder)
    },
  )
}

const checks = [
  factCheck({
    name: 'order-within-a-partition',
    promise: 'Within each partition the records of a key lie in the order in which they were written.',
    about: ['keys', 'records before an older one of their key, within a partition'],
    broken: facts => {
      if (facts['keys'] !== keys.length) return `Only ${facts['keys']} of ${keys.length} keys were read.`
      const count = facts['records before an older one of their key, within a partition']
      return count === 0 ? undefined : `${count} records lie before an older record of their key.`
    },
  }),
  factCheck({
    name: 'one-partition-per-key',
    promise: 'All records of a key lie in one partition, so whoever reads them reads them in the order of the writes.',
    about: ['keys in more than one partition'],
    broken: ({ 'keys in more than one partition': count }) =>
      count === 0
        ? undefined
        : `${count} of ${keys.length} keys have records in two partitions: nothing says which of them a reader sees first.`,
  }),
]

export default lab({
  name: '02-keys-and-order',
  difficulty: 1,
  lesson:
    'A record has a key and a value; the key may be missing. A topic consists of partitions, each a log of its own, and the producer decides for every record which one it goes to: by a number it names, or by a rule of the client, the partitioner. The usual one computes a hash of the key (murmur2) and takes it modulo the number of partitions. Consumers of a group share the partitions: each is read by one of them. The number of partitions can be raised while clients work, and never lowered.',
  exercises: [
    'Grow from 3 to 4, and from 3 to 9 partitions. Which share of the keys is in two partitions, and what does arithmetic say?',
    'Which key is where? Compute murmur2 of one key by hand, modulo 3 and modulo 6, and look it up in the report.',
    'Write a partitioner with consistent hashing and run the variant grown with it. How many keys move?',
    'What would a compacted topic keep of a key that moved? Look at lab 16.',
  ],
  summary: 'Grow a topic from 3 to 6 partitions: order within a partition holds, order of a key does not.',
  question:
    'A producer sends records with keys and lets the client choose the partition. The topic grows from 3 to 6 partitions. In which order does a consumer group see the records of one key?',
  prediction: {
    choices: [
      'In the order of the writes: the broker moves a key’s old records to its new partition',
      'In the order of the writes: keys that exist keep their partition, only new keys use the new ones',
      'Not certainly in order: old records stay, new ones of some keys go to another partition',
      'Not certainly in order, and within a partition neither: the log is re-sorted while it grows',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'three partitions throughout, the client chooses by key',
      role: 'main',
      ...growing(false, 'client'),
      checks,
      expect: 'valid',
    },
    {
      name: 'fixed-rule',
      summary: 'the topic grows, but the producer itself maps keys to the first three partitions, as before',
      role: 'main',
      ...growing(true, 'fixed'),
      checks,
      expect: 'valid',
    },
    {
      name: 'grown',
      summary: 'the topic grows from 3 to 6 partitions, the client chooses by key',
      role: 'control',
      ...growing(true, 'client'),
      checks,
      expect: ['one-partition-per-key'],
      mustHold: ['order-within-a-partition'],
    },
  ],
  watch: [
    'The fact "keys in more than one partition": 0 without growth, about half of the keys with it (from 3 to 6, hash mod 6 differs from hash mod 3 for every other key).',
    'order-within-a-partition holds in every variant: growth adds logs and touches none.',
    'Turn the knob: grow from 3 to 4 partitions instead of 6. About three quarters of the keys move then, because fewer hashes agree modulo 3 and 4.',
  ],
  explanation:
    'Kafka orders records within a partition and nowhere else. Which partition a record goes to is decided by the producer: a client’s default partitioner takes murmur2(key) modulo the number of partitions that it knows. The broker stores no mapping of keys, so when the number changes the same key can hash to another partition. Old records are never moved. From then on a key lives in two logs, which a group may give to two consumers, and a consumer that reads both reads them in any order. Compaction suffers too: the old partition keeps the last record that it has of the key for ever. So choose enough partitions at the start, or move to a new topic, or use a rule of your own that does not depend on the number (the variant fixed-rule).',
  reading: [
    'Kafka documentation, "Adding partitions": https://kafka.apache.org/documentation/#basic_ops_modify_topic',
    'KIP-480, the default partitioner for records without a key: https://cwiki.apache.org/confluence/display/KAFKA/KIP-480',
    'KIP-794, the strictly uniform partitioner of Kafka 3.3: https://cwiki.apache.org/confluence/display/KAFKA/KIP-794',
  ],
})
