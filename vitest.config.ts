import { defineConfig } from 'vitest/config'
import { LongestFirst } from './tests/longest-first.ts'

/**
 * Two files at a time where clusters of processes are started: most of the time one of them waits for a timeout, a JVM or a failover. More
 * would only make everything late on the machines that have two cores.
 */
const clustersAtATime = 2

/** kafkajs 2.2.4 waits for -1 - Date.now() ms where it has nothing to wait for. Brokers are processes of their own, and are listened to. */
const aboutKafkajs = ['--disable-warning=TimeoutNegativeWarning']

/** One project per layer of tests: each can run alone, `make test` runs all of them. */
export default defineConfig({
  test: {
    reporters: ['default'],
    // One less by default, which is one of two.
    maxWorkers: '100%',
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: 'tidy', include: ['tests/tidy.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['tests/{broker,scripts,labs,simulator,images}/**/*.test.ts'],
          // For what hangs: a property with a thousand cases takes two seconds, and a busy machine twenty.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'simulation',
          include: ['tests/simulation/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['tests/conformance/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          maxWorkers: clustersAtATime,
          execArgv: aboutKafkajs,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'cluster',
          include: ['tests/cluster/**/*.test.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 600_000,
          maxWorkers: clustersAtATime,
          execArgv: aboutKafkajs,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
