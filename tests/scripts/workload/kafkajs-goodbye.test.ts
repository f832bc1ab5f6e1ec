import { EventEmitter, once } from 'node:events'
import { createRequire } from 'node:module'
import { setImmediate } from 'node:timers/promises'
import { logLevel, type logCreator } from 'kafkajs'
import { expect, test } from 'vitest'
import { endingSpins, sayGoodbye } from '#scripts/workload/kafkajs-goodbye.ts'

type Log = Record<'info' | 'error' | 'warn' | 'debug', (message: string) => void> & {
  readonly setLogLevel: (level: logLevel) => void
}

interface Fetchers {
  start(): Promise<void>
  stop(): Promise<void>
}

const inside = createRequire(import.meta.resolve('kafkajs'))
const createFetchManager = inside('./src/consumer/fetchManager.js') as (options: {
  logger: Log
  getNodeIds: () => number[]
  fetch: (nodeId: number) => Promise<unknown[]>
  handler: () => Promise<void>
}) => Fetchers
const { createLogger } = inside('./src/loggers/index.js') as {
  createLogger: (options: { level: logLevel; logCreator: logCreator }) => Log
}

/** kafkajs' fetchers under a runner that answers as kafkajs' own does, and a broker that holds the fetches. */
class StoppedRunner {
  readonly logger: Log
  readonly lines: string[] = []
  readonly fetchers: Fetchers
  readonly #broker = new EventEmitter()
  #running = true
  #nodes = [1, 2]
  /** Asked after the goodbye; the test itself ends the loop at the thousandth. */
  spins = 0

  constructor() {
    this.logger = createLogger({
      level: logLevel.ERROR,
      logCreator: endingSpins(() => entry => void this.lines.push(entry.log.message)),
    })
    this.fetchers = createFetchManager({
      logger: this.logger,
      getNodeIds: () => this.#nodes,
      fetch: nodeId => this.#fetch(nodeId),
      handler: async () => undefined,
    })
  }

  /** A fetcher sees that there is another broker, and waits for the other fetcher before the new ones begin. */
  brokersChange(): void {
    this.#nodes = [1, 2, 3]
    this.#broker.emit('answer 1')
  }

  readonly consumer = {
    logger: () => this.logger,
    disconnect: async () => {
      this.#running = false
      const stopped = this.fetchers.stop()
      this.#broker.emit('answer 2')
      await stopped
    },
  }

  async #fetch(nodeId: number): Promise<unknown[]> {
    if (this.#running) {
      await once(this.#broker, `answer ${nodeId}`)
      return []
    }
    this.spins++
    if (this.spins === 1000) throw new Error('it span')
    this.logger.debug('consumer not running, exiting')
    return []
  }
}

async function changeThenStop(goodbye: (runner: StoppedRunner) => Promise<void>): Promise<unknown> {
  const runner = new StoppedRunner()
  const ended = runner.fetchers.start().catch((error: unknown) => error)
  runner.brokersChange()
  // All microtasks run: the fetcher of node 1 asks again and finds the brokers changed.
  await setImmediate()
  await goodbye(runner)
  const error = await ended
  return { error: (error as Error).message, spins: runner.spins, lines: runner.lines }
}

test('kafkajs spins when it is stopped while its brokers change', async () => {
  const outcome = await changeThenStop(runner => runner.consumer.disconnect())
  expect(outcome).toMatchObject({ error: 'it span' })
})

test('a goodbye ends the consumer although its brokers change, and is not heard of in the log', async () => {
  const outcome = await changeThenStop(runner => sayGoodbye(runner.consumer as never))
  expect(outcome).toEqual({ error: 'the consumer was stopped', spins: 3, lines: [] })
})
