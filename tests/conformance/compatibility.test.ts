import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { compatibilityPage, mergeProofs, pageFile, type Proofs, proofsFile } from './compatibility-page.ts'

it('docs/compatibility.md says what the handler registry says; else run `make docs`', () => {
  const proofs = JSON.parse(readFileSync(proofsFile, 'utf8')) as Proofs
  expect(readFileSync(pageFile, 'utf8')).toBe(compatibilityPage(proofs))
})

it('the proofs of a test that ran replace its earlier ones and leave those of others', () => {
  const earlier = { kcat: { librdkafka: { 0: [7], 1: [11] } }, java: { 'apache-kafka-java': { 0: [13] } } }
  const served = (apiVersion: number) => ({ apiKey: 0, apiVersion, software: 'librdkafka', requests: 1, failures: 0 })
  const merged = mergeProofs(earlier, [
    { test: 'kcat', served: [served(10), served(9)] },
    { test: 'kcat', served: [served(9)] },
  ])
  expect(merged).toEqual({ java: { 'apache-kafka-java': { 0: [13] } }, kcat: { librdkafka: { 0: [9, 10] } } })
})
