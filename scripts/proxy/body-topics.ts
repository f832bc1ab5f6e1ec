/** Whether the body of a request or response is about a topic: found by the names that Kafka's messages use for topics and partitions. */
import type { Message, FieldType, Fields } from '#broker/protocol/schema.ts'

export interface TopicTarget {
  readonly name: string
  /** Newer versions name a topic by its id alone; undefined: the topic was not there when the fault was added. */
  readonly id?: string | undefined
  /** Left out: every partition. */
  readonly partition?: number | undefined
}

type Struct = Readonly<Record<string, unknown>>

const topicNameFields = ['topic', 'topicName', 'name']
const partitionFields = ['partitionIndex', 'partition', 'index', 'partitionId']
/** Arrays whose elements are about topics, where the element only says `name`. */
const topicArrays = /topic|responses|results/i

/** Calls `found` with every struct of the body that is about the topic; for a target with a partition, with those of the partition. */
export function findTopic(
  message: Message,
  body: Struct,
  target: TopicTarget,
  found: (struct: Record<string, unknown>) => void,
): void {
  walk(message.fields, body, target, found)
}

/** True when the body mentions the topic (and partition). */
export function mentionsTopic(message: Message, body: Struct, target: TopicTarget): boolean {
  let isThere = false
  findTopic(message, body, target, () => (isThere = true))
  return isThere || namesIn(body, target)
}

/** DeleteTopics before v6 and group heartbeats list bare names. */
function namesIn(body: Struct, { name, partition }: TopicTarget): boolean {
  if (partition !== undefined) return false
  return ['topicNames', 'subscribedTopicNames'].some(field => {
    const names = body[field]
    return Array.isArray(names) && names.includes(name)
  })
}

function walk(
  fields: Fields,
  struct: Struct,
  target: TopicTarget,
  found: (struct: Record<string, unknown>) => void,
): void {
  for (const [name, { type }] of Object.entries(fields)) {
    const value = struct[name]
    if (type.kind === 'struct' && value !== null && value !== undefined)
      walk(type.fields, value as Struct, target, found)
    if (type.kind !== 'array' || type.element.kind !== 'struct' || !Array.isArray(value)) continue
    for (const element of value as Record<string, unknown>[]) {
      if (isTopic(name, element, target)) partitionsOf(type.element, element, target, found)
      else walk(type.element.fields, element, target, found)
    }
  }
}

function isTopic(array: string, element: Struct, { name, id }: TopicTarget): boolean {
  if (id !== undefined && element['topicId'] === id) return true
  const field = topicNameFields.find(candidate => candidate in element)
  if (field === undefined || element[field] !== name) return false
  return field !== 'name' || topicArrays.test(array)
}

/** The topic's struct itself when no partition is asked for. */
function partitionsOf(
  type: FieldType & { readonly kind: 'struct' },
  topic: Record<string, unknown>,
  { partition }: TopicTarget,
  found: (struct: Record<string, unknown>) => void,
): void {
  if (partition === undefined) return found(topic)
  for (const [name, field] of Object.entries(type.fields)) {
    const value = topic[name]
    if (field.type.kind !== 'array' || !Array.isArray(value)) continue
    for (const element of value as unknown[]) {
      if (element === partition && /partition/i.test(name)) found(topic)
      if (typeof element !== 'object' || element === null) continue
      const struct = element as Record<string, unknown>
      const index = partitionFields.find(candidate => candidate in struct)
      if (index !== undefined && struct[index] === partition) found(struct)
    }
  }
}
