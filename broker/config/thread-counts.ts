/**
 * How numbers of threads may be altered while a broker runs: at most halved or doubled in one step. Most have no effect here; who tunes a
 * cluster finds the same rule all the same. Source: Kafka 4.3's DynamicThreadPool, DynamicRemoteLogConfig, SocketServer and
 * LogCleaner.validateReconfiguration; messages as there.
 */
import type { BrokerConfig, BrokerConfigName } from './broker-config.ts'
import { resolveListeners } from './listeners.ts'
import { securitySetting } from './security.ts'

const pools = [
  'background.threads',
  'num.io.threads',
  'num.recovery.threads.per.data.dir',
  'num.replica.fetchers',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.follower.thread.pool.size',
  'remote.log.reader.threads',
] as const satisfies readonly BrokerConfigName[]

const ofListener = 'num.network.threads'

/** Why a broker with `current` cannot have the numbers of `next`; undefined when it can. */
export function threadCountsRefusal(current: BrokerConfig, next: BrokerConfig): string | undefined {
  for (const name of pools) {
    const refusal = poolRefusal(name, current[name], next[name])
    if (refusal !== undefined) return refusal
  }
  return networkRefusal(current, next) ?? cleanerRefusal(current, next)
}

function poolRefusal(name: string, before: number, after: number): string | undefined {
  if (after === before) return undefined
  const failed = `Dynamic thread count update validation failed for ${name}=${after}`
  if (after < 1) return `${failed}, value should be at least 1`
  if (after < Math.trunc(before / 2)) return `${failed}, value should be at least half the current value ${before}`
  if (after > before * 2) return `${failed}, value should not be greater than double the current value ${before}`
  return undefined
}

/** Each listener has its own. */
function networkRefusal(current: BrokerConfig, next: BrokerConfig): string | undefined {
  for (const { name: listener } of resolveListeners(current).broker) {
    const before = securitySetting(current, { listener }, ofListener)
    const after = securitySetting(next, { listener }, ofListener)
    const refusal = poolRefusal(ofListener, before, after)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

function cleanerRefusal(current: BrokerConfig, next: BrokerConfig): string | undefined {
  const [before, after] = [current['log.cleaner.threads'], next['log.cleaner.threads']]
  if (after === before || !current['log.cleaner.enable']) return undefined
  if (after < 1) return 'Log cleaner threads should be at least 1'
  if (after < Math.trunc(before / 2))
    return `Log cleaner threads cannot be reduced to less than half the current value ${before}`
  if (after > before * 2)
    return `Log cleaner threads cannot be increased to more than double the current value ${before}`
  return undefined
}
