/** All actors by name, and the settings that a cluster needs for them. */
import { Prng } from '../world/prng.ts'
import type { Actor, Stage } from './actor.ts'
import { type Access, accessSettings } from './access.ts'
import { Admin } from './admin.ts'
import { Compaction } from './compaction.ts'
import { ConsumerGroup } from './consumer-group.ts'
import { ShareGroup } from './share-group.ts'
import { Transactions } from './transactions.ts'

/** Those that a seed may draw. */
const makers = {
  admin: stage => new Admin(stage),
  compaction: stage => new Compaction(stage),
  'consumer-group': stage => new ConsumerGroup(stage),
  'share-group': stage => new ShareGroup(stage),
  transactions: stage => new Transactions(stage),
} satisfies Record<string, (stage: Stage) => Actor>

export type ActorKind = keyof typeof makers

export const actorKinds = Object.keys(makers) as ActorKind[]

export function makeActor(kind: ActorKind, stage: Omit<Stage, 'random'>): Actor {
  const make: (stage: Stage) => Actor = makers[kind]
  return make({ ...stage, random: new Prng(stage.world.seed, kind) })
}

/** Fifty partitions of an internal topic cost more than they show. */
const few = '4'

export function settingsFor(kinds: readonly ActorKind[], access: Access | undefined): Readonly<Record<string, string>> {
  return { ...(kinds.length === 0 ? {} : settingsOfActors), ...(access === undefined ? {} : accessSettings) }
}

const settingsOfActors: Readonly<Record<string, string>> = {
  'log.cleaner.backoff.ms': '1000',
  'transaction.state.log.num.partitions': few,
  'offsets.topic.num.partitions': few,
  'share.coordinator.state.topic.num.partitions': few,
  'group.consumer.heartbeat.interval.ms': '1000',
  'group.consumer.min.heartbeat.interval.ms': '1000',
  'group.consumer.session.timeout.ms': '10000',
  'group.consumer.min.session.timeout.ms': '10000',
  'group.share.heartbeat.interval.ms': '1000',
  'group.share.min.heartbeat.interval.ms': '1000',
  'group.share.session.timeout.ms': '10000',
  'group.share.min.session.timeout.ms': '10000',
  'group.share.record.lock.duration.ms': '4000',
  'group.share.min.record.lock.duration.ms': '4000',
  // Records of actors carry no time that retention could go by, and nobody expects them to leave.
  'log.retention.ms': '-1',
  // Timeouts come about within the run.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '2000',
}
