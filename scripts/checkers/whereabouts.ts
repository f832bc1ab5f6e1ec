/**
 * Where a record is that a consumer did not get: still in the log ("lost on the way to the consumer"), or nowhere ("lost in the log").
 * The logs of the replicas decide, read over the wire after the run; without them the last full read does. Kafka's own system tests make
 * the same distinction by searching the brokers' segments.
 *
 * It also tells a client's mistake from a broker's where a record is in a log twice: by producer id, epoch and sequence of the batches.
 */
import type { Offset, PartitionName, ReplicaBatch, ReplicaLog, Value } from '../history/operation.ts'
import type { Analysis } from './analysis.ts'

export type Fate = 'lost in the log' | 'lost on the way to the consumer' | 'not to be decided'

/** Answers for any number of values; reads each log once, when first asked about its partition. */
export class Whereabouts {
  readonly #analysis: Analysis
  readonly #logs = new Map<PartitionName, { log: ReplicaLog; values: Map<Value, Copy[]> }[]>()

  constructor(analysis: Analysis) {
    this.#analysis = analysis
  }

  /** What became of an acknowledged value that no consumer got, and the sentence that says so. */
  fate(partition: PartitionName, value: Value): { fate: Fate; sentence: string } {
    const logs = this.#of(partition)
    const holders = logs.filter(({ values }) => values.has(value)).map(({ log }) => log)
    const leader = logs.find(({ log }) => log.leader)?.log
    if (holders.some(log => log.leader)) {
      return {
        fate: 'lost on the way to the consumer',
        sentence: `It is still in the log of the leader (broker ${leader?.broker}), so it was lost on the way to the consumer.`,
      }
    }
    if (leader?.complete) {
      const others = holders.map(log => log.broker)
      return {
        fate: 'lost in the log',
        sentence:
          others.length > 0
            ? `It is not in the log of the leader (broker ${leader.broker}), though still in that of broker ${others.join(', ')}: it was lost in the log.`
            : `It is in no replica's log (read: broker ${logs.map(({ log }) => log.broker).join(', ')}): it was lost in the log.`,
      }
    }
    if (this.#analysis.finalReadFrom !== undefined && this.#analysis.finalRead === 'complete') {
      return {
        fate: 'lost in the log',
        sentence: 'A fresh client that read the whole partition in the end did not find it: it was lost in the log.',
      }
    }
    return { fate: 'not to be decided', sentence: 'No full read of the log after the run tells where it was lost.' }
  }

  /** Every place in the leader's log, else in any replica's, where the value is. */
  copies(partition: PartitionName, value: Value): readonly Copy[] {
    const logs = this.#of(partition)
    const log = logs.find(({ log }) => log.leader) ?? logs[0]
    return log?.values.get(value) ?? []
  }

  #of(partition: PartitionName) {
    let logs = this.#logs.get(partition)
    if (!logs) {
      logs = this.#analysis.replicaLogs
        .filter(log => log.partition === partition)
        .map(log => ({ log, values: index(log) }))
      this.#logs.set(partition, logs)
    }
    return logs
  }
}

export interface Copy {
  readonly offset: Offset
  readonly batch: ReplicaBatch
  /** The record's own sequence number; -1 when the producer was not idempotent. */
  readonly sequence: number
}

function index(log: ReplicaLog): Map<Value, Copy[]> {
  const values = new Map<Value, Copy[]>()
  for (const batch of log.batches) {
    for (const [offset, value] of batch.records) {
      // A client without a producer id may write any number where the sequence would be: it counts for nothing.
      const isNumbered = batch.producerId !== '-1' && batch.baseSequence >= 0
      const sequence = isNumbered ? batch.baseSequence + (offset - batch.baseOffset) : -1
      const copies = values.get(value)
      if (copies) copies.push({ offset, batch, sequence })
      else values.set(value, [{ offset, batch, sequence }])
    }
  }
  return values
}
