/**
 * What changed since the last observation in which a value was known. A pure fold: the same observations give the same changes. A value that
 * becomes unknown is no change, and comes back as one only when it is another: a high watermark of 10, unknown, then 8 has fallen.
 */
import type { Offset, PartitionName } from '../history/operation.ts'
import {
  isUnknown,
  known,
  type Known,
  type Observation,
  type ObservedBroker,
  type ObservedGroup,
  type ObservedPartition,
  type ObservedQuorum,
  type ObservedTopic,
  type ObservedTransaction,
  type Registration,
} from './model.ts'

interface OfBroker {
  readonly broker: number
}
interface OfPartition {
  readonly partition: PartitionName
}
interface OfGroup {
  readonly group: string
}
interface OfTransaction {
  readonly transactionalId: string
}
interface FromTo<T> {
  readonly from: T
  readonly to: T
}

export type Change =
  | (OfBroker & { readonly kind: 'brokerSilent'; readonly reason: string })
  | (OfBroker & { readonly kind: 'brokerAnswers' })
  | (OfBroker & { readonly kind: 'registrationChanged' } & FromTo<Registration>)
  | ({ readonly kind: 'quorumLeaderChanged'; readonly epoch: number } & FromTo<number>)
  | ({ readonly kind: 'quorumEpochBumped' } & FromTo<number>)
  | ({ readonly kind: 'votersChanged' } & FromTo<readonly number[]>)
  | { readonly kind: 'topicAppeared'; readonly topic: string }
  | { readonly kind: 'topicGone'; readonly topic: string }
  | (OfPartition & { readonly kind: 'leaderChanged'; readonly leaderEpoch: number } & FromTo<number>)
  | (OfPartition & { readonly kind: 'epochBumped' } & FromTo<number>)
  | (OfPartition & { readonly kind: 'isrShrunk'; readonly left: readonly number[]; readonly isr: readonly number[] })
  | (OfPartition & { readonly kind: 'isrGrew'; readonly joined: readonly number[]; readonly isr: readonly number[] })
  | (OfPartition & { readonly kind: 'elrChanged' } & FromTo<readonly number[]>)
  | (OfPartition & { readonly kind: 'replicasChanged' } & FromTo<readonly number[]>)
  | (OfPartition & { readonly kind: 'highWatermarkRose' } & FromTo<Offset>)
  /** What was promised to readers is not there any more. */
  | (OfPartition & { readonly kind: 'highWatermarkFell' } & FromTo<Offset>)
  | (OfPartition & { readonly kind: 'logStartRose' } & FromTo<Offset>)
  /** A replica's log ends earlier than before: it was truncated, or lost records. */
  | (OfPartition & OfBroker & { readonly kind: 'logCut' } & FromTo<Offset>)
  | (OfGroup & { readonly kind: 'groupAppeared'; readonly state: string })
  | (OfGroup & { readonly kind: 'groupGone' })
  | (OfGroup & { readonly kind: 'groupStateChanged' } & FromTo<string>)
  | (OfGroup & { readonly kind: 'coordinatorChanged' } & FromTo<number>)
  /** Its epoch rose, or (classic groups, which tell none) its members have other partitions. */
  | (OfGroup & { readonly kind: 'groupRebalanced' } & FromTo<number | null>)
  | (OfGroup & { readonly kind: 'memberJoined'; readonly member: string; readonly clientId: string })
  | (OfGroup & { readonly kind: 'memberLeft'; readonly member: string; readonly clientId: string })
  | (OfTransaction & { readonly kind: 'transactionAppeared'; readonly state: string })
  | (OfTransaction & { readonly kind: 'transactionGone' })
  | (OfTransaction & { readonly kind: 'transactionStateChanged' } & FromTo<string>)
  | (OfTransaction & { readonly kind: 'producerEpochBumped' } & FromTo<number>)

type Parts = Pick<Observation, 'brokers' | 'quorum' | 'topics' | 'groups' | 'transactions'>
type Listed = 'topics' | 'groups' | 'transactions'

/** Of which lists everybody who could have an entry was heard: only then what is not in them was not there. */
export type Wholeness = Readonly<Record<Listed, boolean>>

const nothingHeard: Wholeness = { topics: false, groups: false, transactions: false }

/** The last known value of everything; `undefined` where nothing was known yet. */
export class Changes {
  readonly #values = new Map<string, unknown>()
  /** Of topics, groups and transactions: what was known to be there. Null: known not to be. */
  readonly #things = new Map<string, unknown>()
  #whole = nothingHeard

  since(parts: Parts, whole: Wholeness): Change[] {
    const changes = [
      ...parts.brokers.flatMap(broker => this.#broker(broker)),
      ...(parts.quorum === undefined ? [] : this.#quorum(parts.quorum)),
      ...Object.entries(known(parts.topics) ?? {}).flatMap(([name, topic]) => this.#topic(name, topic)),
      ...Object.entries(known(parts.groups) ?? {}).flatMap(([id, group]) => this.#group(id, group)),
      ...Object.entries(known(parts.transactions) ?? {}).flatMap(([id, found]) => this.#transaction(id, found)),
    ]
    this.#whole = whole
    return changes
  }

  /** Remembers a value, and says what it was when it is another now. */
  #turn<T>(key: string, now: Known<T> | undefined): { readonly from: T; readonly to: T } | undefined {
    if (now === undefined || isUnknown(now)) return undefined
    const before = this.#values.get(key) as T | undefined
    this.#values.set(key, now)
    return before === undefined || isSame(before, now) ? undefined : { from: before, to: now as T }
  }

  /** What was known of a thing before: undefined when that was nothing, null when it was not there. */
  #before<T>(list: Listed, name: string, now: Known<T | null>): T | null | undefined {
    const key = `${list} ${name}`
    const isNew = !this.#things.has(key)
    const before = this.#things.get(key) as T | null | undefined
    if (isNew || !isUnknown(now)) this.#things.set(key, isUnknown(now) ? undefined : now)
    return isNew && this.#whole[list] ? null : before
  }

  #forget(prefix: string): void {
    for (const key of this.#values.keys()) if (key.startsWith(prefix)) this.#values.delete(key)
  }

  #broker({ id: broker, answers, registration }: ObservedBroker): Change[] {
    const heard = this.#turn(`broker ${broker} answers`, !isUnknown(answers))
    const registered = this.#turn(`broker ${broker} registration`, registration)
    return [
      ...(heard === undefined
        ? []
        : isUnknown(answers)
          ? [{ kind: 'brokerSilent', broker, reason: answers.unknown } as const]
          : [{ kind: 'brokerAnswers', broker } as const]),
      ...(registered ? [{ kind: 'registrationChanged', broker, ...registered } as const] : []),
    ]
  }

  #quorum(now: Known<ObservedQuorum>): Change[] {
    const quorum = known(now)
    if (quorum === undefined) return []
    const leader = this.#turn('quorum leader', quorum.leader)
    const epoch = this.#turn('quorum epoch', quorum.epoch)
    const voters = this.#turn(
      'quorum voters',
      quorum.voters.map(({ id }) => id),
    )
    return [
      ...(leader ? [{ kind: 'quorumLeaderChanged', epoch: quorum.epoch, ...leader } as const] : []),
      ...(epoch ? [{ kind: 'quorumEpochBumped', ...epoch } as const] : []),
      ...(voters ? [{ kind: 'votersChanged', ...voters } as const] : []),
    ]
  }

  #topic(topic: string, now: Known<ObservedTopic | null>): Change[] {
    const before = this.#before('topics', topic, now)
    if (isUnknown(now)) return []
    const isAnother = before !== null && before !== undefined && before.topicId !== now?.topicId
    if (isAnother) this.#forget(`partition ${topic}-`)
    return [
      ...(isAnother ? [{ kind: 'topicGone', topic } as const] : []),
      ...(now !== null && (before === null || isAnother) ? [{ kind: 'topicAppeared', topic } as const] : []),
      ...Object.values(now?.partitions ?? {}).flatMap(partition =>
        isUnknown(partition) ? [] : this.#partition(partition),
      ),
    ]
  }

  #partition(seen: ObservedPartition): Change[] {
    const { name: partition, leaderEpoch, isr } = seen
    const turn = <T>(what: string, now: Known<T>) => this.#turn(`partition ${partition} ${what}`, now)
    const leader = turn('leader', seen.leader)
    const epoch = turn('epoch', leaderEpoch)
    const inSync = turn('isr', isr)
    const left = inSync?.from.filter(id => !isr.includes(id)) ?? []
    const joined = inSync === undefined ? [] : isr.filter(id => !inSync.from.includes(id))
    const elr = turn('elr', seen.elr)
    const replicas = turn('replicas', seen.replicas)
    const watermark = turn('high watermark', seen.highWatermark)
    const start = turn('log start', seen.logStartOffset)
    return [
      ...(leader ? [{ kind: 'leaderChanged', partition, leaderEpoch, ...leader } as const] : []),
      ...(epoch ? [{ kind: 'epochBumped', partition, ...epoch } as const] : []),
      ...(left.length > 0 ? [{ kind: 'isrShrunk', partition, left, isr } as const] : []),
      ...(joined.length > 0 ? [{ kind: 'isrGrew', partition, joined, isr } as const] : []),
      ...(elr ? [{ kind: 'elrChanged', partition, ...elr } as const] : []),
      ...(replicas ? [{ kind: 'replicasChanged', partition, ...replicas } as const] : []),
      ...(watermark
        ? [
            {
              kind: watermark.to > watermark.from ? 'highWatermarkRose' : 'highWatermarkFell',
              partition,
              ...watermark,
            } as const,
          ]
        : []),
      ...(start && start.to > start.from ? [{ kind: 'logStartRose', partition, ...start } as const] : []),
      ...Object.entries(seen.logs).flatMap(([broker, log]) => {
        const end = turn(`end of ${broker}`, isUnknown(log) ? log : log.logEndOffset)
        return end && end.to < end.from ? [{ kind: 'logCut', partition, broker: Number(broker), ...end } as const] : []
      }),
    ]
  }

  #group(group: string, now: Known<ObservedGroup | null>): Change[] {
    const before = this.#before('groups', group, now)
    if (isUnknown(now) || before === undefined) return []
    if (before === null) return now === null ? [] : [{ kind: 'groupAppeared', group, state: now.state }]
    if (now === null) return [{ kind: 'groupGone', group }]
    const isIn = (members: ObservedGroup['members'], id: string) => members.some(member => member.id === id)
    const joined = now.members.filter(({ id }) => !isIn(before.members, id))
    const left = before.members.filter(({ id }) => !isIn(now.members, id))
    const tasks = (of: ObservedGroup) => of.members.map(({ id, assignment }) => [id, assignment])
    const isRebalanced = now.epoch === null ? !isSame(tasks(before), tasks(now)) : now.epoch !== before.epoch
    return [
      ...joined.map(({ id, clientId }) => ({ kind: 'memberJoined', group, member: id, clientId }) as const),
      ...left.map(({ id, clientId }) => ({ kind: 'memberLeft', group, member: id, clientId }) as const),
      ...(isRebalanced ? [{ kind: 'groupRebalanced', group, from: before.epoch, to: now.epoch } as const] : []),
      ...(now.state === before.state
        ? []
        : [{ kind: 'groupStateChanged', group, from: before.state, to: now.state } as const]),
      ...(now.coordinator === before.coordinator
        ? []
        : [{ kind: 'coordinatorChanged', group, from: before.coordinator, to: now.coordinator } as const]),
    ]
  }

  #transaction(transactionalId: string, now: Known<ObservedTransaction | null>): Change[] {
    const before = this.#before('transactions', transactionalId, now)
    if (isUnknown(now) || before === undefined) return []
    if (before === null) return now === null ? [] : [{ kind: 'transactionAppeared', transactionalId, state: now.state }]
    if (now === null) return [{ kind: 'transactionGone', transactionalId }]
    return [
      ...(now.state === before.state
        ? []
        : [{ kind: 'transactionStateChanged', transactionalId, from: before.state, to: now.state } as const]),
      ...(now.producerEpoch === before.producerEpoch
        ? []
        : [
            {
              kind: 'producerEpochBumped',
              transactionalId,
              from: before.producerEpoch,
              to: now.producerEpoch,
            } as const,
          ]),
    ]
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
