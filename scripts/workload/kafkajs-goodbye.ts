/**
 * Ends a kafkajs consumer for certain.
 *
 * kafkajs 2.2.4 can spin for ever when a consumer is told to stop: if the set of its brokers changed just then, it exchanges its fetchers,
 * `stop` ends only those that there were, and the new ones ask a runner that no longer runs, which answers at once with nothing: a loop of
 * microtasks that no timer, socket or signal interrupts. All the loop does that can be reached from outside is log, at level DEBUG. So the
 * logger refuses that line; the fetcher takes this for a failed fetch and ends, as does the runner when it looks again.
 */
import { type Consumer, logLevel, type logCreator } from 'kafkajs'

/** What the runner says, at level DEBUG, each time it is asked to fetch or to handle a batch although it was stopped. */
const notRunning = 'consumer not running, exiting'

/** `creator`, for a Kafka instance whose consumers `sayGoodbye` is to end. It hears of DEBUG lines as little as before. */
export function endingSpins(creator: logCreator): logCreator {
  return level => {
    const write = creator(level)
    return entry => {
      if (entry.level !== logLevel.DEBUG) return write(entry)
      if (entry.log.message === notRunning) throw new Error('the consumer was stopped')
    }
  }
}

/** Disconnects a consumer of a Kafka instance that logs through `endingSpins`. */
export async function sayGoodbye(consumer: Consumer): Promise<void> {
  consumer.logger().setLogLevel(logLevel.DEBUG)
  await consumer.disconnect()
}
