/**
 * Folds metadata records into the next image: `new ImageBuilder(image)`, `replay(record)…`, `build(offset, epoch)`. Copies only what the
 * records touch. A record that does not fit (a partition of a topic that does not exist) means a damaged or foreign log and throws
 * MetadataError: skipping it would let this node's view of the cluster drift from that of the others.
 * Must never change the image it started from.
 */
import { configResourceOf, MetadataImage } from './image.ts'
import type {
  BrokerImage,
  ConfigResource,
  MetadataDelta,
  PartitionChange,
  TopicChange,
  TopicImage,
  Uuid,
} from './image.ts'
import { MutableImage } from './mutable-image.ts'
import type { MetadataRecord } from './metadata-record.ts'

export { MetadataError } from './mutable-image.ts'

export class ImageBuilder {
  readonly previous: MetadataImage
  readonly #draft: MutableImage

  constructor(previous: MetadataImage) {
    this.previous = previous
    this.#draft = new MutableImage(previous)
  }

  replay(record: MetadataRecord): void {
    this.#draft.replay(record)
  }

  /** @param offset  of the last record folded in, inclusive */
  build(offset: number, epoch: number): MetadataDelta {
    const draft = this.#draft
    const image = new MetadataImage({ ...draft.state(), clusterId: this.previous.clusterId, offset, epoch })
    return {
      previous: this.previous,
      image,
      fromSnapshot: false,
      ...topicDifferences(this.previous, image, draft.touchedPartitions),
      changedBrokers: brokerDifferences(this.previous, image, draft.touchedBrokers),
      changedControllers: draft.touchedControllers,
      changedConfigs: configDifferences(this.previous, image, draft.touchedConfigs, true),
      changedFeatures: draft.touchedFeatures,
      ...sectionDifferences(this.previous, image),
    }
  }
}

/** Folds records into an image in one step. */
export function applyRecords(
  image: MetadataImage,
  records: readonly MetadataRecord[],
  at: { readonly offset: number; readonly epoch: number },
): MetadataDelta {
  const builder = new ImageBuilder(image)
  for (const record of records) builder.replay(record)
  return builder.build(at.offset, at.epoch)
}

/** The delta between any two images, found by comparing: for snapshots. Costs as much as the cluster has partitions. */
export function compareImages(previous: MetadataImage, image: MetadataImage): MetadataDelta {
  const partitions = new Map<Uuid, ReadonlySet<number>>()
  for (const topic of previous.topicsById.values()) partitions.set(topic.id, new Set(topic.partitions.keys()))
  for (const topic of image.topicsById.values()) partitions.set(topic.id, new Set(topic.partitions.keys()))
  return {
    previous,
    image,
    fromSnapshot: true,
    ...topicDifferences(previous, image, partitions),
    changedBrokers: brokerDifferences(previous, image, union(previous.brokers.keys(), image.brokers.keys())),
    changedControllers: union(previous.controllers.keys(), image.controllers.keys()),
    changedConfigs: configDifferences(previous, image, union(previous.configs.keys(), image.configs.keys())),
    changedFeatures: new Set(
      [...union(previous.features.keys(), image.features.keys())].filter(
        name => previous.features.get(name) !== image.features.get(name),
      ),
    ),
    ...sectionDifferences(previous, image),
  }
}

function union<T>(first: Iterable<T>, second: Iterable<T>): Set<T> {
  return new Set([...first, ...second])
}

function topicDifferences(
  previous: MetadataImage,
  image: MetadataImage,
  touched: ReadonlyMap<Uuid, ReadonlySet<number>>,
): Pick<MetadataDelta, 'changedTopics' | 'newTopics' | 'deletedTopics'> {
  const changedTopics = new Map<Uuid, TopicChange>()
  const newTopics = new Set<Uuid>()
  const deletedTopics = new Map<Uuid, TopicImage>()
  for (const [id, indexes] of touched) {
    const before = previous.topicsById.get(id)
    const topic = image.topicsById.get(id)
    if (topic === undefined) {
      if (before !== undefined) deletedTopics.set(id, before)
      continue
    }
    if (before === undefined) newTopics.add(id)
    const partitions = new Map<number, PartitionChange>()
    for (const index of indexes) {
      const current = topic.partitions.get(index)
      const earlier = before?.partitions.get(index)
      if (current !== undefined && !sameValue(current, earlier)) partitions.set(index, { previous: earlier, current })
    }
    if (before === undefined || partitions.size > 0) changedTopics.set(id, { topic, partitions })
  }
  return { changedTopics, newTopics, deletedTopics }
}

function brokerDifferences(
  previous: MetadataImage,
  image: MetadataImage,
  touched: ReadonlySet<number>,
): MetadataDelta['changedBrokers'] {
  const changed = new Map<number, { previous: BrokerImage | undefined; current: BrokerImage | undefined }>()
  for (const id of touched) {
    const change = { previous: previous.brokers.get(id), current: image.brokers.get(id) }
    if (!sameValue(change.previous, change.current)) changed.set(id, change)
  }
  return changed
}

function configDifferences(
  previous: MetadataImage,
  image: MetadataImage,
  keys: ReadonlySet<string>,
  brokersTouched = false,
): ConfigResource[] {
  return [...keys]
    .filter(key => {
      const { type, name } = configResourceOf(key)
      // The same setting once more tells a broker to read the file behind it again.
      if (brokersTouched && type === 'broker') return true
      return !sameMap(previous.config(type, name), image.config(type, name))
    })
    .map(configResourceOf)
}

function sectionDifferences(previous: MetadataImage, image: MetadataImage) {
  return {
    producerIdsChanged: previous.producerIds?.nextProducerId !== image.producerIds?.nextProducerId,
    aclsChanged: previous.acls !== image.acls && !sameMap(previous.acls, image.acls),
    scramCredentialsChanged:
      previous.scramCredentials !== image.scramCredentials &&
      !sameMap(previous.scramCredentials, image.scramCredentials),
    clientQuotasChanged:
      previous.clientQuotas !== image.clientQuotas && !sameMap(previous.clientQuotas, image.clientQuotas),
    delegationTokensChanged:
      previous.delegationTokens !== image.delegationTokens &&
      !sameMap(previous.delegationTokens, image.delegationTokens),
  }
}

function sameMap<K, V>(first: ReadonlyMap<K, V>, second: ReadonlyMap<K, V>): boolean {
  if (first.size !== second.size) return false
  for (const [key, value] of first) {
    if (!second.has(key) || !sameValue(value, second.get(key))) return false
  }
  return true
}

/** Deep equality of plain values: numbers, text, arrays, buffers and objects of them. */
export function sameValue(first: unknown, second: unknown): boolean {
  if (Object.is(first, second)) return true
  if (typeof first !== 'object' || typeof second !== 'object' || first === null || second === null) return false
  if (Buffer.isBuffer(first)) return Buffer.isBuffer(second) && first.equals(second)
  const keys = Object.keys(first)
  if (keys.length !== Object.keys(second).length) return false
  return keys.every(key => sameValue((first as Record<string, unknown>)[key], (second as Record<string, unknown>)[key]))
}
