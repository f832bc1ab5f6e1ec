/** What the inspector shows of a node: identity, quorum, brokers, partitions of this node, counters. */
import type { LogCleaner } from '../log/cleaner/log-cleaner.ts'
import type { Node } from '../node.ts'
import { brokerMetrics } from './metrics.ts'
import type { Metric, NodeView } from './inspector.ts'

function unhealthy(node: Node): string | undefined {
  const { broker, quorum, publisher } = node
  if (quorum === undefined || publisher === undefined) return 'starting'
  if (broker === undefined) return quorum.leader.leaderId === undefined ? 'the quorum has no leader' : undefined
  const self = publisher.image.brokers.get(node.config['node.id'])
  if (self === undefined) return 'not registered yet'
  if (self.fenced) return 'fenced by the controller'
  return broker.lifecycle.state === 'RUNNING' ? undefined : `broker is ${broker.lifecycle.state}`
}

function state(node: Node): unknown {
  const { broker, quorum, publisher, controller, config } = node
  const image = publisher?.image
  return {
    nodeId: config['node.id'],
    roles: config['process.roles'],
    clusterId: node.storage?.clusterId,
    health: unhealthy(node) ?? 'ok',
    quorum: quorum && {
      role: quorum.role,
      leader: quorum.leader,
      voters: quorum.voterIds,
      highWatermark: quorum.highWatermark,
      logEndOffset: quorum.logEndOffset,
      logStartOffset: quorum.logStartOffset,
    },
    controller: controller && { active: controller.isActive },
    broker: broker && {
      state: broker.lifecycle.state,
      epoch: broker.lifecycle.brokerEpoch,
      counters: broker.replicas.counters,
      cleaner: node.storage?.logs && cleaner(node.storage.logs.cleaner),
      directories: node.storage?.logs?.directories.map(({ path, id, online, room }) => ({
        path,
        id,
        online,
        isFull: room.full !== undefined,
      })),
      groups: broker.groups.list().groups,
    },
    brokers:
      image &&
      [...image.brokers.values()].map(({ id, epoch, fenced, inControlledShutdown }) => ({
        id,
        epoch,
        fenced,
        inControlledShutdown,
      })),
    partitions: image && broker ? partitions(node) : undefined,
  }
}

function cleaner({ current, uncleanable, figures }: LogCleaner): unknown {
  return { cleaning: current, uncleanable, ...figures }
}

function partitions(node: Node): unknown[] {
  const self = node.config['node.id']
  const { broker, publisher } = node
  const found: unknown[] = []
  for (const topic of publisher?.image.topicsByName.values() ?? []) {
    for (const [partition, { leader, leaderEpoch, isr, replicas }] of topic.partitions) {
      if (!replicas.includes(self)) continue
      const key = { topic: topic.name, partition }
      const log = broker?.replicas.log(key)
      found.push({
        ...key,
        leader,
        leaderEpoch,
        isr,
        replicas,
        logStartOffset: log?.logStartOffset,
        logEndOffset: log?.logEndOffset,
        highWatermark: broker?.replicas.highWatermark(key),
        sizeBytes: log?.sizeBytes,
        damage: log?.damage,
      })
    }
  }
  return found
}

function metrics(node: Node): Metric[] {
  const { quorum, broker, publisher } = node
  const gauge = (name: string, help: string, value: number): Metric => ({
    name,
    help,
    type: 'gauge',
    values: [{ value }],
  })
  const list = [
    gauge('faultline_healthy', 'One when the node serves.', unhealthy(node) === undefined ? 1 : 0),
    gauge('faultline_quorum_epoch', 'Epoch of the metadata quorum.', quorum?.leader.epoch ?? -1),
    gauge('faultline_quorum_high_watermark', 'Committed end of the metadata log.', quorum?.highWatermark ?? -1),
    gauge('faultline_metadata_offset', 'Metadata applied by this node.', publisher?.deliveredOffset ?? -1),
  ]
  for (const [name, value] of Object.entries(broker?.replicas.counters ?? {})) {
    const snake = name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
    list.push({
      name: `faultline_${snake}_total`,
      help: `Count of ${name}.`,
      type: 'counter',
      values: [{ value: Number(value) }],
    })
  }
  return [...list, ...brokerMetrics(node)]
}

export function nodeView(node: Node): NodeView {
  return {
    unhealthy: () => unhealthy(node),
    state: () => state(node),
    requests: () => node.requests.entries(),
    metrics: () => metrics(node),
  }
}
