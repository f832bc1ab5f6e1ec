/** What the log cleaner needs to know of the broker's settings. */
import type { CleanerSettings } from '../log/cleaner/log-cleaner.ts'
import type { BrokerConfig } from './broker-config.ts'

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
