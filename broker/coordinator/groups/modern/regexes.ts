/**
 * Patterns that the members of a consumer group subscribe with, and the topics they stand for. A pattern is looked up when the first member
 * subscribes with it; all are looked up again when topics came or went, at most every 10 s, and every
 * group.consumer.regex.refresh.interval.ms, since what the members may see can have changed.
 * Source: KIP-848 (SubscribedTopicRegex).
 */
import type { ConsumerGroup } from './consumer-group.ts'
import type { GroupStep } from './consumer-heartbeat.ts'
import { regexRecord } from './consumer-records.ts'

const minRefreshIntervalMs = 10_000

/**
 * A member that subscribed with `before` subscribes with `after` now; called after its record is written.
 *
 * @returns whether the topics of some pattern are others than before
 */
export function refreshRegexes(
  group: ConsumerGroup,
  before: string | undefined,
  after: string | undefined,
  step: GroupStep,
): boolean {
  if (before !== undefined && before !== after && group.subscribersOf(before) === 0)
    step.write(regexRecord(group.groupId, before, null))
  const refreshed = isRefreshDue(group, step) && refreshAll(group, step)
  if (after === undefined || group.regexes.has(after) || lookUp(group, after, step) !== 'changed') return refreshed
  group.regexLook ??= lookNow(step)
  return true
}

const lookNow = ({ image, nowWallMs }: GroupStep) => ({ topics: image.topicsByName, wallMs: nowWallMs })

function isRefreshDue({ regexLook: last, regexes }: ConsumerGroup, { image, nowWallMs, settings }: GroupStep): boolean {
  if (regexes.size === 0) return false
  if (last === undefined) return true
  if (nowWallMs <= last.wallMs + minRefreshIntervalMs) return false
  return last.topics !== image.topicsByName || nowWallMs > last.wallMs + settings.regexRefreshIntervalMs
}

function refreshAll(group: ConsumerGroup, step: GroupStep): boolean {
  const outcomes = [...group.regexes.keys()].map(regex => lookUp(group, regex, step))
  if (!outcomes.includes('later')) group.regexLook = lookNow(step)
  return outcomes.includes('changed')
}

function lookUp(group: ConsumerGroup, regex: string, step: GroupStep): 'changed' | 'same' | 'later' {
  const { image, nowMs, nowWallMs, mayDescribe, patterns, write } = step
  const matching = patterns.matching(regex, image.topicsByName, nowMs)
  if (matching === undefined) return 'later'
  const topics = new Set([...matching].filter(mayDescribe))
  const known = group.regexes.get(regex)?.topics
  if (known?.size === topics.size && [...topics].every(topic => known.has(topic))) return 'same'
  write(regexRecord(group.groupId, regex, { topics, version: image.offset, timestampMs: nowWallMs }))
  return 'changed'
}
