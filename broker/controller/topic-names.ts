/** Which topic names are legal, and which collide in metrics names. Source: Kafka's Topic class. */
import type { MetadataImage } from './image.ts'

const longestName = 249
export const internalTopics: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

/** Why the name is not legal; undefined when it is. */
export function invalidTopicName(name: string): string | undefined {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.') return "Topic name is invalid: '.' is not allowed"
  if (name === '..') return "Topic name is invalid: '..' is not allowed"
  if (name.length > longestName) {
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${longestName}`
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return undefined
}

/** An existing topic whose name differs only in dots and underscores: both would have the same metrics name. */
export function collidingTopic(image: MetadataImage, name: string): string | undefined {
  if (!/[._]/.test(name)) return undefined
  const unified = unify(name)
  for (const existing of image.topicsByName.keys()) {
    if (existing.length === name.length && existing !== name && unify(existing) === unified) return existing
  }
  return undefined
}

const unify = (name: string) => name.replaceAll('.', '_')
