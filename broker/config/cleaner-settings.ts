/** What the log cleaner needs to know of the broker's settings, and what it cannot work with. */
import type { CleanerSettings } from '../log/cleaner/log-cleaner.ts'
import type { BrokerConfig } from './broker-config.ts'

const mebibyte = 1_048_576

/** Why the cleaner cannot work with these settings, in Kafka's words (KafkaConfig.validateValues); undefined when it can. */
export function cleanerSettingsError(config: BrokerConfig): string | undefined {
  const bytesEach = Math.trunc(config['log.cleaner.dedupe.buffer.size'] / Math.max(1, config['log.cleaner.threads']))
  if (bytesEach > mebibyte) return undefined
  return 'log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.'
}

export function cleanerSettings(config: BrokerConfig): CleanerSettings {
  return {
    isEnabled: config['log.cleaner.enable'],
    threads: config['log.cleaner.threads'],
    dedupeBufferBytes: config['log.cleaner.dedupe.buffer.size'],
    loadFactor: config['log.cleaner.io.buffer.load.factor'],
    ioBufferBytes: config['log.cleaner.io.buffer.size'],
    maxBytesPerSecond: config['log.cleaner.io.max.bytes.per.second'],
    backoffMs: config['log.cleaner.backoff.ms'],
  }
}
