import { describe, expect, test } from 'vitest'
import { parseConsumerOutput, parseProducerOutput } from '../../../bench/measure/java-tools.ts'
import { cpuSecondsOf, memoryOf } from '../../../bench/measure/process.ts'
import { selfTimes } from '../../../bench/measure/self-time.ts'
import { parseOptions } from '../../../bench/options.ts'

describe('the output of ProducerPerformance', () => {
  const last =
    '5000 records sent, 4286.7 records/sec (0.41 MB/sec), 45.1 ms avg latency, 300 ms max latency, 40 ms 50th.'

  test('gives the rate of the last line, not that of an interval', () => {
    expect(parseProducerOutput(`2500 records sent, 9.9 records/sec (0 MB/sec)\n${last}\n`, 5_000)).toBe(4_286.7)
  })

  test('that ends before all records were sent is an error', () => {
    expect(() => parseProducerOutput(last, 6_000)).toThrow('did not send all 6000 records')
  })
})

describe('the output of ConsumerPerformance', () => {
  const line =
    '2026-01-01 10:00:00:000, 2026-01-01 10:00:09:000, 95.36, 10.59, 1000100, 111111.1, 3000, 6000, 15.89, 166666.6'

  test('gives the rate without the time to join the group', () => {
    expect(parseConsumerOutput(`WARNING: something\n${line}\n`, 1_000_000)).toBe(166_666.6)
  })

  test('that ends before all records came is an error', () => {
    expect(() => parseConsumerOutput(line, 2_000_000)).toThrow('did not get all 2000000 records')
  })
})

describe('options', () => {
  test('are all cases in three rounds when nothing is said, one round with --quick', () => {
    expect(parseOptions([])).toMatchObject({ rounds: 3, quick: false, gigabytes: 2 })
    expect(parseOptions(['consume', 'start', '--quick'])).toMatchObject({ cases: ['start', 'consume'], rounds: 1 })
  })

  test.each([
    [['latency'], 'There is no case "latency"'],
    [['--rounds', '0'], '--rounds must be a whole number from 1 on, got "0"'],
    [['--rounds', '1.5'], '--rounds must be a whole number'],
    [['--engine', 'redpanda'], '--engine must be one of'],
    [['--fast'], "Unknown option '--fast'"],
  ])('%j are refused with what was expected', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message)
  })
})

describe('a profile', () => {
  const frame = (functionName: string) => ({ functionName, url: 'file:///project/broker/a.ts', lineNumber: 4 })
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('append') },
      { id: 3, callFrame: frame('append') },
      { id: 4, callFrame: frame('start') },
    ],
    startTime: 0,
    samples: [4, 1, 2, 3],
    timeDeltas: [100, 500, 10, 30],
  }

  test('adds up a function over all its callers and leaves idle time out', () => {
    expect(selfTimes(profile, '/project', 200)).toEqual([{ name: 'append', place: 'broker/a.ts:5', percent: 100 }])
  })

  test('counts what lies between two moments only', () => {
    expect(selfTimes(profile, '/project', 0, 100).map(entry => entry.name)).toEqual(['start'])
  })
})

test.runIf(process.platform === 'linux')('memory and CPU time of this process are read from /proc', () => {
  const { rssMiB, peakMiB } = memoryOf(process.pid)
  expect(rssMiB).toBeGreaterThan(10)
  expect(peakMiB).toBeGreaterThanOrEqual(rssMiB * 0.9)
  expect(cpuSecondsOf(process.pid)).toBeGreaterThan(0)
})
