import { expect, test } from 'vitest'
import { leaksOf } from '#simulator/actors/trespasser.ts'

const refusedFetch = { errorCode: 29, highWatermark: -1, records: Buffer.alloc(0) }

test('a refusal hides nothing that is told beside it', () => {
  expect(leaksOf({ responses: [{ partitions: [refusedFetch] }] })).toEqual([])
  expect(leaksOf({ responses: [{ partitions: [{ ...refusedFetch, records: Buffer.from('x') }] }] })).toEqual([
    'records',
  ])
  expect(leaksOf({ responses: [{ partitions: [refusedFetch, { ...refusedFetch, highWatermark: 7 }] }] })).toEqual([
    'highWatermark',
  ])
  expect(leaksOf({ errorCode: 53, producerId: -1n })).toEqual([])
  expect(leaksOf({ errorCode: 53, producerId: 4n })).toEqual(['producerId'])
})
