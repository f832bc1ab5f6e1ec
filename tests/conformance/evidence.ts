/**
 * Which API and version was seen to be used by which real client, in which test: each conformance test file leaves a file of what its
 * brokers served, and `make docs` folds them into docs/compatibility.json, from which docs/compatibility.md is written.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'vitest'
import type { LedgerEntry } from '#broker/observe/request-ledger.ts'
import { evidenceFolder, type Evidence } from './compatibility-page.ts'

/** What these send comes from no client that somebody uses. */
const noClients: ReadonlySet<string> = new Set(['fuzz', 'fuzz-sequences', 'fuzz-quorum', 'hostile-input'])

let written = 0

/** Called when a test's cluster ends. Requests that met a bug prove nothing; neither do those of our own brokers to each other. */
export function recordEvidence(entries: readonly LedgerEntry[]): void {
  const { testPath } = expect.getState()
  if (testPath === undefined || entries.length === 0) return
  const test = path.basename(testPath, '.test.ts')
  if (noClients.has(test)) return
  const served = entries.filter(({ requests, failures, software }) => requests > failures && software !== 'faultline')
  mkdirSync(evidenceFolder, { recursive: true })
  writeFileSync(
    path.join(evidenceFolder, `${test}-${process.pid}-${written++}.json`),
    JSON.stringify({ test, served } satisfies Evidence),
  )
}
