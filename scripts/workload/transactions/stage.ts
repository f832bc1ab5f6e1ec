/**
 * One stage of a pipeline: reads a record, writes what it becomes, and commits how far it has read; exactly once, in one transaction, or at least
 * once. A script steps it record by record, and may do something between any two requests, or let the instance crash there. The next
 * instance begins where the group has committed, and rebuilds its state from a changelog where it has one.
 *
 * What it does is in the history: a transaction of a poll and sends, or a poll and sends.
 */
import type { ErrorName } from '#broker/protocol/errors.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { MicroOp, Offset, OperationError } from '../../history/operation.ts'
import type { ClientRecorder, HistoryRecorder } from '../../history/recorder.ts'
import { produceBatch } from '../hand-requests.ts'
import { Links } from '../links.ts'
import { Calls, RefusedError } from './calls.ts'
import { commitOffset, committedOffset, type Place } from './group-offsets.ts'
import { endTxn, HandProducer, type GroupMetadata, type TransactionClients } from './producer.ts'
import { HandReader, type Isolation, type SeenRecord, type Slice } from './reader.ts'

/** A record that a stage writes. Values are unique in their partition: `~attempt` makes them so. */
export interface Written extends Place {
  readonly key?: string
  readonly value: string
}

export interface StagePlan {
  /** In the history. */
  readonly name: string
  readonly from: Place
  readonly group: string
  readonly guarantee: 'exactly-once' | 'at-least-once'
  /** Of an instance; they are counted from 1. */
  readonly transactionalId: (instance: number) => string
  readonly clients: TransactionClients
  readonly timeoutMs?: number
  /** Which is sent first in a transaction; default: records. */
  readonly order?: 'records first' | 'offsets first'
  /** What a record becomes. Attempts are counted from 1, over all instances. */
  readonly transform: (record: SeenRecord, attempt: number) => readonly Written[]
  /** The state of a new instance: `load` is given everything that the changelog holds. */
  readonly restore?: Place & { readonly isolation: Isolation; readonly load: (records: readonly SeenRecord[]) => void }
  /** As whom it commits (KIP-447); undefined: as nobody. */
  readonly member?: () => GroupMetadata | undefined
}

/** What has just been done for a record. `ended`: the transaction, or the commit of the offset; its answer has not been looked at yet. */
export type Moment = 'polled' | 'written' | 'offsets' | 'ended'

export const moments: readonly Moment[] = ['polled', 'written', 'offsets', 'ended']

/** `crash`: the instance is gone, and its connections. `abort`: it aborts its transaction and will poll the same record again. */
export type Meanwhile = (
  moment: Moment,
  at: { readonly producer: HandProducer; readonly written: readonly Written[] },
) => Promise<'crash' | 'abort' | void>

const isFenced: ReadonlySet<ErrorName> = new Set(['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'])
const retryMs = 50
const writeTimeoutMs = 5_000
const answerMs = 20_000
const patienceMs = 60_000

interface Open {
  readonly client: ClientRecorder
  /** What it was to be; all that it may have sent. */
  readonly bare: readonly MicroOp[]
  readonly details: {
    readonly transactionalId: string
    readonly commits?: { group: string; offsets: Record<string, Offset> }
  }
}

export interface StageParts {
  readonly cluster: Cluster
  readonly recorder: HistoryRecorder
  /** Told how many records were acknowledged, those of a transaction when it is committed. */
  readonly countAcknowledged: (records: number) => void
}

export class Stage {
  readonly plan: StagePlan
  /** How many instances there were. */
  instances = 0
  readonly #cluster: Cluster
  readonly #recorder: HistoryRecorder
  readonly #countAcknowledged: StageParts['countAcknowledged']
  readonly #calls: Calls
  readonly #links: Links
  #attempts = 0
  #producer: HandProducer | undefined
  #reader: HandReader | undefined
  #client: ClientRecorder | undefined
  #next: Offset = 0
  /** A transaction whose instance crashed before it asked for the commit: failed for certain when the next instance has registered. */
  #open: Open | undefined

  constructor(parts: StageParts, plan: StagePlan) {
    this.#cluster = parts.cluster
    this.#recorder = parts.recorder
    this.#countAcknowledged = parts.countAcknowledged
    this.#calls = new Calls(parts.cluster)
    this.#links = new Links(parts.cluster, answerMs)
    this.plan = plan
  }

  /** A new instance; the one before is given up, whatever it was doing. */
  async start(): Promise<void> {
    this.#giveUp()
    const { plan } = this
    this.instances += 1
    const transactionalId = plan.transactionalId(this.instances)
    const { clients, timeoutMs } = plan
    this.#producer = new HandProducer(this.#cluster, { transactionalId, clients, ...(timeoutMs && { timeoutMs }) })
    this.#reader = new HandReader(this.#cluster, 'read_committed')
    this.#client = this.#recorder.client(plan.name)
    if (plan.guarantee === 'exactly-once') await this.#producer.init()
    this.#settle()
    this.#next = await committedOffset(this.#calls, plan.group, plan.from)
    if (plan.restore !== undefined) await this.#restore(plan.restore)
  }

  /**
   * The next record, waited for, from poll to commit.
   *
   * @returns whether it was committed, as far as the instance knows
   * @throws RefusedError when it may not commit it: it was fenced, or is no member any more
   */
  async step(meanwhile: Meanwhile = () => Promise.resolve()): Promise<boolean> {
    if (this.#producer === undefined) await this.start()
    const producer = this.#producer as HandProducer
    const record = await this.#poll()
    this.#attempts += 1
    const written = this.plan.transform(record, this.#attempts)
    const work =
      this.plan.guarantee === 'exactly-once'
        ? this.#inTransaction(producer, record, written, meanwhile)
        : this.#atLeastOnce(producer, record, written, meanwhile)
    const outcome = await this.#untilRefused(producer, work)
    if (outcome === 'crash') this.#giveUp()
    if (outcome === undefined) this.#next = record.offset + 1
    return outcome === undefined
  }

  /** Its instance crashes with one record; the next one begins again where the group has committed, and does what comes there. */
  async crashOnce(at: Moment): Promise<void> {
    await this.step(moment => Promise.resolve(moment === at ? 'crash' : undefined))
    await this.step()
  }

  /** Whatever there is goes through. */
  async drain(): Promise<void> {
    while (await this.hasMore()) await this.step()
  }

  close(): void {
    this.#giveUp()
    this.#calls.close()
    this.#links.close()
  }

  /** Whether there is a record that it has not committed; as long as a transaction is open behind it, that is not known. */
  async hasMore(): Promise<boolean> {
    if (this.#producer === undefined) await this.start()
    const seen = await this.#read(isDecided)
    return seen.records.length > 0
  }

  async #poll(): Promise<SeenRecord> {
    return (await this.#read(({ records }) => records.length > 0)).records[0] as SeenRecord
  }

  /** What is there from the next record on, once it is as it should be. */
  async #read(holds: (slice: Slice) => boolean): Promise<Slice> {
    return await this.#readFrom(this.#reader as HandReader, this.plan.from, this.#next, holds)
  }

  async #readFrom(
    reader: HandReader,
    { topic, partition }: Place,
    offset: Offset,
    holds: (slice: Slice) => boolean,
  ): Promise<Slice> {
    const { clock } = this.#cluster
    const endMs = clock.nowMs() + patienceMs
    for (;;) {
      const slice = await reader.readAll(topic, partition, offset)
      if (holds(slice)) return slice
      if (clock.nowMs() >= endMs)
        throw new Error(
          `${this.plan.name} waited ${patienceMs} ms for ${topic}-${partition} from ${offset} on: its last stable offset is ${slice.lastStableOffset}, its high watermark ${slice.highWatermark}`,
        )
      await clock.sleep(retryMs)
    }
  }

  /**
   * A producer that was fenced is done; after any other refusal the transaction can be aborted. Either way it failed for certain, unless it is the
   * end that was refused, and an attempt before may have reached it.
   */
  async #untilRefused<T>(producer: HandProducer, work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof RefusedError) || this.#open === undefined) throw error
      if (!isFenced.has(error.code)) await abort(producer)
      const isUnknown = error.what === endTxn && error.mayHaveHappened
      this.#settle(isUnknown ? { code: error.code, message: error.message, definite: false } : undefined)
      throw error
    }
  }

  async #inTransaction(
    producer: HandProducer,
    record: SeenRecord,
    written: readonly Written[],
    meanwhile: Meanwhile,
  ): Promise<'crash' | 'abort' | undefined> {
    const { from, group, order = 'records first' } = this.plan
    const { transactionalId } = producer
    const name = `${from.topic}-${from.partition}`
    const client = this.#client as ClientRecorder
    const offset = record.offset + 1
    const commits = { group, offsets: { [name]: offset } }
    const value: MicroOp[] = [['poll', { [name]: [[record.offset, record.value]] }]]
    const sends = written.map((each): MicroOp => ['send', `${each.topic}-${each.partition}`, each.value])
    const open: Open = { client, bare: [...value, ...sends], details: { transactionalId, commits } }
    const at = { producer, written }
    client.invoke('txn', [['poll']], { transactionalId })
    const writeAll = async () => {
      for (const { topic, partition, ...rest } of written)
        value.push(['send', `${topic}-${partition}`, [await producer.send(topic, partition, [rest]), rest.value]])
      return await meanwhile('written', at)
    }
    const commit = async () => {
      await producer.commitOffsets(group, { ...from, offset }, this.plan.member?.())
      return await meanwhile('offsets', at)
    }
    this.#open = open
    const steps = order === 'records first' ? [writeAll, commit] : [commit, writeAll]
    for (const step of [async () => await meanwhile('polled', at), ...steps]) {
      const outcome = await step()
      if (outcome === 'crash') return 'crash'
      if (outcome === 'abort') {
        await producer.end(false)
        this.#settle()
        return 'abort'
      }
    }
    await producer.end(true)
    this.#open = undefined
    const crashed = (await meanwhile('ended', at)) === 'crash'
    const lost = { code: 'NO_ANSWER', message: 'the instance is gone before it had the answer', definite: false }
    client.complete(crashed ? 'info' : 'ok', value, crashed ? lost : undefined, open.details)
    if (!crashed) this.#countAcknowledged(written.length)
    return crashed ? 'crash' : undefined
  }

  async #atLeastOnce(
    producer: HandProducer,
    record: SeenRecord,
    written: readonly Written[],
    meanwhile: Meanwhile,
  ): Promise<'crash' | undefined> {
    const { from, group } = this.plan
    const client = this.#client as ClientRecorder
    const at = { producer, written }
    client.invoke('poll', [['poll']])
    client.complete('ok', [['poll', { [`${from.topic}-${from.partition}`]: [[record.offset, record.value]] }]])
    if ((await meanwhile('polled', at)) === 'crash') return 'crash'
    for (const each of written) await this.#send(client, each)
    if ((await meanwhile('written', at)) === 'crash') return 'crash'
    await commitOffset(this.#calls, group, { ...from, offset: record.offset + 1 })
    for (const moment of ['offsets', 'ended'] as const) if ((await meanwhile(moment, at)) === 'crash') return 'crash'
    return undefined
  }

  /** Without a transaction, acknowledged by all replicas. */
  async #send(client: ClientRecorder, { topic, partition, key, value }: Written): Promise<void> {
    const name = `${topic}-${partition}`
    client.invoke('send', [['send', name, value]])
    const records = [{ ...(key === undefined ? {} : { key }), value, timestamp: Date.now() }]
    const question = { topic, partition, records, acks: -1, timeoutMs: writeTimeoutMs } as const
    const { offset } = await this.#calls.patiently(
      `Produce to ${name}`,
      async () => {
        const leader = await this.#calls.leader(topic, partition)
        return await this.#links.ask(leader, wire => produceBatch(wire, question))
      },
      ({ errorCode }) => errorCode,
    )
    client.complete('ok', [['send', name, [offset, value]]])
    this.#countAcknowledged(1)
  }

  /** What is committed counts once its marker is there: as long as a transaction is open in the changelog, the table would lack it. */
  async #restore({ isolation, load, ...place }: NonNullable<StagePlan['restore']>): Promise<void> {
    const reader = new HandReader(this.#cluster, isolation)
    load((await this.#readFrom(reader, place, 0, isDecided)).records)
    reader.close()
  }

  #giveUp(): void {
    this.#producer?.close()
    this.#reader?.close()
    this.#producer = undefined
  }

  /** The transaction of before was never asked to commit, and now it cannot be any more. */
  #settle(unknown?: OperationError): void {
    const open = this.#open
    this.#open = undefined
    if (open === undefined) return
    const { transactionalId } = open.details
    open.client.complete(unknown === undefined ? 'fail' : 'info', open.bare, unknown, { transactionalId })
  }
}

function isDecided({ lastStableOffset, highWatermark }: Slice): boolean {
  return lastStableOffset === highWatermark
}

/** A transaction that was refused its commit; where the coordinator has ended it already, this is refused too. */
async function abort(producer: HandProducer): Promise<void> {
  try {
    await producer.end(false)
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
  }
}
