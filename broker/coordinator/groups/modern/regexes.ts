/**
 * Patterns that members subscribe with, in RE2's syntax, and the topics they stand for. They are looked up when a pattern is new, when
 * topics were created since, and every group.consumer.regex.refresh.interval.ms; at most every 10 s unless a pattern is new.
 * Sources: KIP-848 (SubscribedTopicRegex); Kafka 4.3's TopicRegexResolver.
 */
import { RE2JS } from 're2js'
import type { ConsumerGroup } from './consumer-group.ts'
import { regexOf } from './consumer-member.ts'
import { regexRecord } from './consumer-records.ts'
import type { GroupStep } from './consumer-heartbeat.ts'

const minRefreshIntervalMs = 10_000

/** Undefined: it is one. */
export function regexError(regex: string): string | undefined {
  try {
    RE2JS.compile(regex)
    return undefined
  } catch (error) {
    return `${regex} is no pattern in RE2's syntax: ${(error as Error).message}.`
  }
}

/** Whether the topics of some pattern are others than before. Called after the member's record is written. */
export function refreshRegexes(
  group: ConsumerGroup,
  before: string | undefined,
  after: string | undefined,
  step: GroupStep,
): boolean {
  const { write } = step
  if (before !== undefined && before !== after && group.subscribersOf(before) === 0)
    write(regexRecord(group.groupId, before, null))
  const wanted = new Set([...group.members.values()].map(regexOf).filter(regex => regex !== undefined))
  if (wanted.size === 0 || !isDue(group, wanted, step)) return false
  let hasChanged = false
  group.regexLook = { topics: step.image.topicsByName, wallMs: step.nowWallMs }
  for (const regex of wanted) {
    const topics = resolve(regex, step)
    const known = group.regexes.get(regex)?.topics
    if (known?.size === topics.size && [...topics].every(topic => known.has(topic))) continue
    hasChanged = true
    write(regexRecord(group.groupId, regex, { topics, version: step.image.offset, timestampMs: step.nowWallMs }))
  }
  return hasChanged
}

function isDue(group: ConsumerGroup, wanted: ReadonlySet<string>, { image, nowWallMs, settings }: GroupStep): boolean {
  const last = group.regexLook
  for (const regex of wanted) if (!group.regexes.has(regex)) return true
  if (last === undefined) return true
  if (nowWallMs <= last.wallMs + minRefreshIntervalMs) return false
  return last.topics !== image.topicsByName || nowWallMs > last.wallMs + settings.regexRefreshIntervalMs
}

function resolve(regex: string, { image, mayDescribe }: GroupStep): Set<string> {
  const pattern = RE2JS.compile(regex)
  const topics = new Set<string>()
  for (const name of image.topicsByName.keys()) if (pattern.matches(name) && mayDescribe(name)) topics.add(name)
  return topics
}
