/**
 * The real machine as an Environment. Only this folder (and broker/main.ts) may import node:fs, node:net, timers, crypto or the clock.
 */
import type { Environment, LogLevel } from '../environment.ts'
import { nodeClock } from './clock.ts'
import { nodeDisk } from './disk.ts'
import { LineLogger } from './logger.ts'
import { nodeNetwork } from './network.ts'
import { nodeRandom } from './random.ts'
import { nodeTimers } from './timers.ts'

export interface NodeEnvironmentOptions {
  /** Lines below this level are not written. Default: info. */
  readonly logLevel?: LogLevel
  /** Default: text. */
  readonly logFormat?: 'text' | 'json'
  /** Default: stderr, so that stdout stays free for what a command answers. */
  readonly logTo?: 'stderr' | 'stdout' | ((line: string) => void)
}

/** Clock, timers, randomness, disk and network of this process. */
export function nodeEnvironment(options: NodeEnvironmentOptions = {}): Environment {
  const log = new LineLogger({
    level: options.logLevel ?? 'info',
    format: options.logFormat ?? 'text',
    write: lineWriter(options.logTo ?? 'stderr'),
  })
  return {
    clock: nodeClock,
    timers: nodeTimers,
    random: nodeRandom,
    disk: nodeDisk,
    network: nodeNetwork(log),
    log,
    halt(reason) {
      log.error('Halting: this node can no longer keep its promises', { reason })
      process.exit(1)
    },
  }
}

function lineWriter(to: 'stderr' | 'stdout' | ((line: string) => void)): (line: string) => void {
  if (typeof to === 'function') return to
  const stream = to === 'stderr' ? process.stderr : process.stdout
  return line => void stream.write(line)
}
