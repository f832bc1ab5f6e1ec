import { expect, test } from 'vitest'
import { upTable } from '../../../bench/up-times.ts'

test('the table of up has medians, and the reason where a runtime cannot run an engine', () => {
  const rows = [
    {
      runtime: 'process',
      engine: 'faultline',
      seconds: new Map([
        [1, [0.31, 0.24, 9]],
        [3, [0.5]],
      ]),
    },
    { runtime: 'simulated', engine: 'apache-kafka', seconds: 'our own broker only' },
  ]
  expect(upTable(rows, [1, 3, 5])).toBe(`| runtime | engine | 1 broker | 3 brokers | 5 brokers |
| --- | --- | ---: | ---: | ---: |
| process | faultline | 0.3 s | 0.5 s | – |
| simulated | apache-kafka | our own broker only |  |  |`)
})
