/**
 * Lab 21: what becomes of a record that a consumer cannot handle, and of those behind it?
 * Setup: 1 broker, one partition, a real consumer (kafkajs) that handles record by record. Either one record of ten is no JSON, or producer and
 *   consumer have schemas, of which there is a new version. What is understood then is a matter between the two: the broker stores bytes, and
 *   could change it only by losing some.
 * Fault: the record that cannot be handled; or one side is upgraded first.
 * Expect: with a dead letter topic all others are handled and nothing is gone; a change that is BACKWARD compatible does no harm when consumers
 *   are upgraded first, one that is FORWARD compatible when producers are.
 * Control: a consumer that fails must be caught reading nothing behind the record; one that only logs it, having dropped it; the wrong side
 *   upgraded first, or old records read again after a FORWARD change, must be caught not understanding records.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { RecordHandler, type Message } from '#scripts/workload/record-handler.ts'
import { kafkaClient } from '#scripts/workload/kafkajs-client.ts'
import {
  decodeRecord,
  encodeRecord,
  objections,
  SchemaError,
  type Compatibility,
  type Schema,
  type SchemaRecord,
} from '#scripts/workload/schemas.ts'

const records = 10
const poison = 4
const attemptsWanted = 6

const groupOf = (workload: HandWorkload): string => `${workload.topic}-readers`
const deadLettersOf = (workload: HandWorkload): string => `${workload.topic}-dead-letters`

/** What the application does with a record that it cannot handle. */
type Answer = 'fails' | 'logs it' | 'writes it to the dead letters'

function poisoned(answer: Answer): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts),
    async (run, workload) => {
      run.step(`${records} records are written, one of them no JSON`)
      for (let index = 0; index < records; index++) {
        const value = index === poison ? 'no { JSON' : JSON.stringify({ order: index })
        await workload.write({ partition: 0, records: [{ key: `order-${index}`, value }] })
      }
      const deadLetters = new DeadLetters(workload)
      await deadLetters.open()
      const handled = new Set<number>()
      let attempts = 0
      const handler = new RecordHandler(workload, groupOf(workload), async message => {
        if (Number(message.offset) === poison) attempts += 1
        try {
          JSON.parse(textOf(message))
        } catch (error) {
          if (answer === 'fails') throw error
          if (answer === 'writes it to the dead letters') await deadLetters.write(message, error as Error)
          return
        }
        handled.add(Number(message.offset))
      })
      run.step(`a consumer handles them; one that it cannot handle it ${answer}`)
      handler.start()
      try {
        await workload.until(
          'all that can be handled is, or the consumer has failed often',
          () => handler.progress({ handled: handled.size, attempts }),
          seen => seen.handled === records - 1 || seen.attempts >= attemptsWanted,
        )
      } finally {
        await handler.stop()
      }
      run.fact('records written', records)
      run.fact('records handled', handled.size)
      run.fact('of them behind the one that cannot be handled', [...handled].filter(offset => offset > poison).length)
      run.fact('attempts to handle that one', attempts)
      run.fact('committed offset', (await workload.committed(groupOf(workload), 0)) ?? 0)
      run.step('the dead letters are read')
      run.fact('dead letters that hold the record and say where it was', await deadLetters.count())
      await deadLetters.close()
    },
  )
}

/** A topic of its own for what nobody can handle, with where it came from and why in the headers. */
class DeadLetters {
  readonly #workload: HandWorkload
  readonly #producer

  constructor(workload: HandWorkload) {
    this.#workload = workload
    this.#producer = kafkaClient(workload.cluster, 'lab-dead-letters').producer({ idempotent: true })
  }

  async open(): Promise<void> {
    const topic = deadLettersOf(this.#workload)
    await this.#workload.admin(async admin => {
      await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true })
    })
    await this.#producer.connect()
  }

  /** When this is acknowledged, and not before, the record may be committed. */
  async write(message: Message, error: Error): Promise<void> {
    const headers = {
      'original-topic': this.#workload.topic,
      'original-partition': '0',
      'original-offset': message.offset,
      error: error.message,
    }
    await this.#producer.send({
      topic: deadLettersOf(this.#workload),
      acks: -1,
      messages: [{ key: message.key, value: message.value, headers }],
    })
  }

  /** Those that are the record that was written, byte for byte, and say where it was. */
  async count(): Promise<number> {
    const group = `${deadLettersOf(this.#workload)}-readers`
    const admin = await this.#workload.admin(async each => await each.fetchTopicOffsets(deadLettersOf(this.#workload)))
    const end = Number(admin[0]?.high ?? 0)
    const found: Message[] = []
    if (end === 0) return 0
    const reader = new RecordHandler(
      this.#workload,
      group,
      message => {
        found.push(message)
        return Promise.resolve()
      },
      deadLettersOf(this.#workload),
    )
    reader.start()
    try {
      await this.#workload.until(
        'all dead letters are read',
        () => reader.progress(found.length),
        count => count >= end,
      )
    } finally {
      await reader.stop()
    }
    const header = (message: Message, name: string) => message.headers?.[name]?.toString()
    const right = found.filter(
      message =>
        textOf(message) === 'no { JSON' &&
        header(message, 'original-topic') === this.#workload.topic &&
        header(message, 'original-offset') === String(poison),
    )
    return right.length
  }

  async close(): Promise<void> {
    await this.#producer.disconnect()
  }
}

const textOf = ({ value }: Message): string => value?.toString() ?? ''

const first: Schema = {
  id: 1,
  fields: [
    { name: 'order', type: 'number' },
    { name: 'note', type: 'string' },
  ],
}
/** BACKWARD: it reads what the first one wrote, but the first one misses the note. */
const withoutNote: Schema = {
  id: 2,
  fields: [
    { name: 'order', type: 'number' },
    { name: 'currency', type: 'string', default: 'EUR' },
  ],
}
/** FORWARD: the first one reads what it writes, but in old records it misses the shop. */
const withShop: Schema = { id: 3, fields: [...first.fields, { name: 'shop', type: 'string' }] }
const registry = [first, withoutNote, withShop]

interface Evolution {
  readonly next: Schema
  readonly mode: Compatibility
  readonly upgrades: 'consumers first' | 'producers first' | 'producers first, and old records are read again'
}

function evolving({ next, mode, upgrades }: Evolution): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts),
    async (run, workload) => {
      const readers = new Readers(workload)
      const write = async (schema: Schema) => {
        const record = { order: 1, note: 'soon', currency: 'USD', shop: 'Rome' }
        for (let index = 0; index < records; index++)
          await workload.write({ partition: 0, records: [{ value: encodeRecord(schema, record) }] })
        readers.toRead += records
      }
      const group = groupOf(workload)
      run.fact(`objections of a registry with ${mode}`, objections(mode, first, next).length)
      run.step('producer and consumer have the first schema')
      await write(first)
      await readers.readWith(first, group)
      run.step(`a new schema comes: ${upgrades}`)
      if (upgrades === 'consumers first') {
        // The producer is still the old one.
        await write(first)
        await readers.readWith(next, group)
        await write(next)
        await readers.readWith(next, group)
      } else {
        // The consumer is still the old one.
        await write(next)
        await readers.readWith(first, group)
        await write(next)
        const isAgain = upgrades.endsWith('read again')
        // What the first group has read comes again.
        if (isAgain) readers.toRead += 2 * records
        await readers.readWith(next, isAgain ? `${group}-again` : group)
      }
      run.fact('records to read', readers.toRead)
      run.fact('of them understood', readers.understood)
      run.fact('why the first one of the others was not', readers.reason)
    },
  )
}

/** Consumers of a group, each with the schema of its version; what one does not understand it counts, and goes on. */
class Readers {
  toRead = 0
  understood = 0
  reason = ''
  /** Group and offset: a record may come twice to a group, which does not count. */
  readonly #read = new Set<string>()
  readonly #workload: HandWorkload

  constructor(workload: HandWorkload) {
    this.#workload = workload
  }

  /** Until all that there is to read is read. */
  async readWith(schema: Schema, group: string): Promise<void> {
    const handler = new RecordHandler(this.#workload, group, message => {
      const key = `${group} ${message.offset}`
      if (!this.#read.has(key) && this.#decode(schema, message) !== undefined) this.understood += 1
      this.#read.add(key)
      return Promise.resolve()
    })
    handler.start()
    try {
      await this.#workload.until(
        'all records are read',
        () => handler.progress(this.#read.size),
        count => count >= this.toRead,
      )
    } finally {
      await handler.stop()
    }
  }

  #decode(schema: Schema, message: Message): SchemaRecord | undefined {
    try {
      return decodeRecord(registry, schema, textOf(message))
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      if (this.reason === '') this.reason = error.message
      return undefined
    }
  }
}

const readsBehind = factCheck({
  name: 'reads-what-is-behind',
  promise: 'The records behind the one that cannot be handled were handled.',
  about: ['of them behind the one that cannot be handled', 'attempts to handle that one'],
  broken: facts =>
    facts['of them behind the one that cannot be handled'] === records - 1 - poison
      ? undefined
      : `Of ${records - 1 - poison} records behind it, ${facts['of them behind the one that cannot be handled']} were handled, while the consumer tried ${facts['attempts to handle that one']} times to get past it.`,
})

const nothingDropped = factCheck({
  name: 'nothing-is-dropped',
  promise: 'Every record was handled, or is in the dead letters with the place where it was.',
  about: ['records written', 'records handled', 'dead letters that hold the record and say where it was'],
  broken: facts => {
    const kept =
      Number(facts['records handled']) + Number(facts['dead letters that hold the record and say where it was'])
    return kept === facts['records written']
      ? undefined
      : `Of ${facts['records written']} records, ${Number(facts['records written']) - kept} were neither handled nor kept.`
  },
})

const understood = factCheck({
  name: 'every-record-is-understood',
  promise: 'Every consumer understood every record that it read.',
  about: ['records to read', 'of them understood', 'why the first one of the others was not'],
  broken: facts =>
    facts['of them understood'] === facts['records to read']
      ? undefined
      : `Of ${facts['records to read']} records, ${Number(facts['records to read']) - Number(facts['of them understood'])} were not understood: ${facts['why the first one of the others was not']}.`,
})

/** Nobody refuses the change: what goes wrong is the order. */
const compatible = (mode: Compatibility) =>
  factCheck({
    name: 'registry-takes-the-schema',
    promise: `A registry with compatibility ${mode} takes the new schema.`,
    about: [`objections of a registry with ${mode}`],
    broken: facts =>
      facts[`objections of a registry with ${mode}`] === 0 ? undefined : `A registry with ${mode} refuses it.`,
  })

function evolution(name: string, role: Variant['role'], summary: string, plan: Evolution): Variant {
  return {
    name,
    summary,
    role,
    ...evolving(plan),
    checks: [compatible(plan.mode), understood],
    expect: role === 'main' ? 'valid' : ['every-record-is-understood'],
  }
}

export default lab({
  name: '21-poison-pill-and-schemas',
  summary:
    'Write what a consumer cannot handle: it stops there for ever, drops it, or puts it aside; schemas decide who may be upgraded first.',
  question:
    'One record of a partition makes the consumer throw an error each time. What becomes of the records behind it?',
  prediction: {
    choices: [
      'They are read: after some attempts the broker puts the record aside',
      'They are read by the other members of the group',
      'They wait: the consumer begins at the same record again, until somebody decides what becomes of it',
      'They are read, and the record comes again at the end',
    ],
    answer: 2,
  },
  difficulty: 1,
  lesson:
    'A group has one offset for each partition, so nothing behind a record is committed before it. The broker does not look into records: whether one can be handled is known by the consumer alone. Schemas make that a matter of agreement. A change is BACKWARD compatible when the new version reads what the old one wrote, FORWARD when the old version reads what the new one writes.',
  exercises: [
    'Give the new field of withShop a default. Which compatibility does the change have then, and which side may go first?',
    'Let DeadLetters.write fail (take a topic that does not exist). What may the consumer commit then?',
    'Commit before the dead letter is acknowledged, and kill the consumer in between (lab 04). What is lost?',
  ],
  topology: { brokers: 1, controllers: 0, settings: quickFailover },
  needs: [],
  variants: [
    {
      name: 'dead-letters',
      summary: 'what cannot be handled goes to a topic of its own, then the consumer goes on',
      role: 'main',
      ...poisoned('writes it to the dead letters'),
      checks: [readsBehind, nothingDropped],
      expect: 'valid',
    },
    {
      name: 'fails',
      summary: 'the consumer throws the error, and is started again whenever it ends',
      role: 'control',
      ...poisoned('fails'),
      checks: [readsBehind, nothingDropped],
      expect: ['reads-what-is-behind'],
    },
    {
      name: 'logs',
      summary: 'the consumer logs the error and goes on',
      role: 'control',
      ...poisoned('logs it'),
      checks: [readsBehind, nothingDropped],
      expect: ['nothing-is-dropped'],
    },
    evolution('backward', 'main', 'BACKWARD: a field goes, one with a default comes; consumers are upgraded first', {
      next: withoutNote,
      mode: 'BACKWARD',
      upgrades: 'consumers first',
    }),
    evolution('forward', 'main', 'FORWARD: a field without a default comes; producers are upgraded first', {
      next: withShop,
      mode: 'FORWARD',
      upgrades: 'producers first',
    }),
    evolution('backward-producers-first', 'control', 'the BACKWARD change, but producers are upgraded first', {
      next: withoutNote,
      mode: 'BACKWARD',
      upgrades: 'producers first',
    }),
    evolution('forward-read-again', 'control', 'the FORWARD change, and a new group reads from the beginning', {
      next: withShop,
      mode: 'FORWARD',
      upgrades: 'producers first, and old records are read again',
    }),
  ],
  watch: [
    'In `fails`: the attempts go up, the committed offset stays at 4. No restart, no rebalance and no other member gets past the record.',
    'In `logs`: the lag is zero and nobody sees an error; the record is gone when retention takes it.',
    'In `dead-letters`: the letter has the bytes of the record, and headers that say topic, partition, offset and error, so that it can be handled later.',
    'In the four variants with schemas the broker has no part in the verdict, as long as it gives back what was written: producer and consumer alone decide what is understood.',
    'In the two controls with schemas the registry had no objection: its mode promises something for one order of upgrades only.',
  ],
  explanation:
    'To a partition a record that cannot be handled is a wall: the position goes on only behind it, and each restart begins in front of it. Attempts help when the reason passes (a database that is down), never when it is the record itself. So an application decides: stop and let somebody look, or put the record aside and go on. A dead letter topic is an ordinary topic that the application writes to; the record may be committed when the letter is acknowledged, not before, and the order of its key is given up. Schemas keep most poison out. A registry checks a new version against the one before: BACKWARD allows to remove fields and to add some with defaults, and consumers have to be upgraded first; FORWARD allows to add fields and to remove some with defaults, and producers have to be upgraded first. FORWARD says nothing of what is already in the log: who reads from the beginning with the new version meets the old records, which is why BACKWARD is the default of schema registries, and BACKWARD_TRANSITIVE (against all versions) what a log without end needs. FULL is both, and leaves the order open.',
  reading: [
    'Kafka Connect, dead letter queues, KIP-298: https://cwiki.apache.org/confluence/display/KAFKA/KIP-298',
    'Kafka Streams, dead letter queues, KIP-1034: https://cwiki.apache.org/confluence/display/KAFKA/KIP-1034',
    'Apache Avro specification, "Schema Resolution": https://avro.apache.org/docs/1.12.0/specification/#schema-resolution',
    'Confluent documentation, "Schema Evolution and Compatibility": https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html',
  ],
})
