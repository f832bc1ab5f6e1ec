/** The record of a cluster that runs nowhere, in a folder of its own, for tests of what commands make of its files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { ownProcess } from '#scripts/cluster/lifecycle.ts'
import { freeBasePort } from '#scripts/cluster/ports.ts'
import { clusterSpec, type SpecRequest } from '#scripts/cluster/spec.ts'
import { keepStateIn, type ClusterRecord } from '#scripts/cluster/state.ts'

/** For each test of the file anew. @returns where the folder is */
export function useStateFolder(name: string): () => string {
  let home = ''
  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'faultline-written-'))
    keepStateIn(home, name)
  })
  // It may have gone with its last cluster.
  afterEach(() => rmSync(home, { recursive: true, force: true }))
  return () => home
}

/** Of this process, on ports that are free, and not written yet. */
export async function recordOf(request: SpecRequest): Promise<ClusterRecord> {
  const asked = clusterSpec(request)
  const spec = { ...asked, port: await freeBasePort(asked) }
  return { version: 1, clusterId: 'c', phase: 'up', foreignData: [], spec, owner: await ownProcess() }
}
