/**
 * The questions about the logs of all partitions of a look: each broker is asked once for each kind, for what it holds or leads.
 *
 * They are asked in the order in which knowledge flows backwards: what followers know of the high watermark, what it is, where the logs end.
 * All three only grow while nothing breaks, so within a look no follower knows of more than the leader, and no in-sync replica ends below the
 * high watermark, however much is written meanwhile.
 */
import { attempt, type Lines } from './lines.ts'
import type { PartitionView } from './metadata.ts'
import { isUnknown, unknown, type Known, type ObservedLog, type ObservedPartition } from './model.ts'
import {
  askLogEnds,
  askOwnWatermarks,
  askProducers,
  askWatermarks,
  type ByPartition,
  type LogEnd,
  type Place,
  type Watermarks,
} from './offsets.ts'

export interface TrustedTopic {
  readonly topic: string
  readonly partitions: readonly PartitionView[]
}

type State = Pick<ObservedPartition, 'highWatermark' | 'lastStableOffset' | 'logStartOffset' | 'logs' | 'producers'>

export interface PartitionStates {
  of(name: string): State
}

interface Hosted extends Place {
  readonly name: string
  readonly view: PartitionView
}

type Answers<T> = ReadonlyMap<number, Known<ByPartition<T>>>

/** @param brokers  whether each answered in this look: who did not is not asked again, and unknown for the same reason */
export async function askPartitions(
  lines: Lines,
  brokers: ReadonlyMap<number, Known<unknown>>,
  topics: readonly TrustedTopic[],
  withProducers: boolean,
): Promise<PartitionStates> {
  const all: Hosted[] = topics.flatMap(({ topic, partitions }) =>
    partitions.map(view => ({ topic, index: view.index, name: `${topic}-${view.index}`, view })),
  )
  const each = async <T>(ask: (broker: number) => Promise<ByPartition<T>>): Promise<Answers<T>> =>
    new Map(
      await Promise.all(
        [...brokers].map(
          async ([broker, answer]) =>
            [broker, isUnknown(answer) ? answer : await attempt(async () => await ask(broker))] as const,
        ),
      ),
    )
  const hosted = (broker: number) => all.filter(({ view }) => view.replicas.includes(broker))
  const led = (broker: number) => all.filter(({ view }) => view.leader === broker)
  const line = (broker: number) => lines.of(broker, 'state')
  const askEnds = async (broker: number) => await askLogEnds(line(broker), hosted(broker))
  const before = await each(askEnds)
  const own = await each(async broker => {
    const followed = hosted(broker).flatMap(({ topic, index, name, view }) => {
      const end = answerOf(before, broker, name)
      return view.leader === broker || isUnknown(end) ? [] : [{ topic, index, logEndOffset: end.logEndOffset }]
    })
    return await askOwnWatermarks(line(broker), followed)
  })
  const watermarks = await each(
    async broker =>
      await askWatermarks(
        line(broker),
        led(broker).map(({ topic, index, view }) => ({ topic, index, leaderEpoch: view.leaderEpoch })),
      ),
  )
  const ends = await each(askEnds)
  const producers = withProducers
    ? await each(async broker => await askProducers(line(broker), led(broker)))
    : undefined
  const states = new Map(all.map(place => [place.name, stateOf(place, { ends, watermarks, own, producers })]))
  return { of: name => states.get(name) ?? untold(unknown(`nothing is known of ${name}`)) }
}

interface Told {
  readonly ends: Answers<LogEnd>
  readonly watermarks: Answers<Watermarks>
  readonly own: Answers<Watermarks>
  readonly producers: Answers<NonNullable<ObservedPartition['producers']>> | undefined
}

function stateOf({ name, view }: Hosted, told: Told): State {
  const { leader, replicas } = view
  const nobodyLeads = unknown(`${name} has no leader`)
  const ofLeader = leader < 0 ? nobodyLeads : answerOf(told.watermarks, leader, name)
  const watermarks = isUnknown(ofLeader) ? untold(ofLeader) : ofLeader
  const logs = replicas.map(broker => [String(broker), logOf(broker, name, { ...told, leader, watermarks })] as const)
  const { producers } = told
  const remembered = producers && (leader < 0 ? nobodyLeads : answerOf(producers, leader, name))
  return {
    highWatermark: watermarks.highWatermark,
    lastStableOffset: watermarks.lastStableOffset,
    logStartOffset: watermarks.logStartOffset,
    logs: Object.fromEntries(logs),
    ...(remembered === undefined ? {} : { producers: remembered }),
  }
}

function logOf(
  broker: number,
  name: string,
  told: Pick<Told, 'ends' | 'own'> & { readonly leader: number; readonly watermarks: Watermarks },
): Known<ObservedLog> {
  const end = answerOf(told.ends, broker, name)
  if (isUnknown(end)) return end
  const own = broker === told.leader ? told.watermarks : answerOf(told.own, broker, name)
  const { highWatermark, lastStableOffset, logStartOffset } = isUnknown(own) ? untold(own) : own
  return { ...end, highWatermark, lastStableOffset, logStartOffset }
}

function untold(reason: { readonly unknown: string }): State {
  return { highWatermark: reason, lastStableOffset: reason, logStartOffset: reason, logs: {} }
}

function answerOf<T>(answers: Answers<T>, broker: number, name: string): Known<T> {
  const answer = answers.get(broker)
  if (answer === undefined) return unknown(`nobody told where broker ${broker} is`)
  if (isUnknown(answer)) return answer
  return answer.get(name) ?? unknown(`broker ${broker} does not tell of ${name}`)
}
