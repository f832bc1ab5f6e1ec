import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Capability, Cluster, NodeState } from '#scripts/cluster/cluster.ts'
import { loseUnflushed } from '#scripts/faults/lose-unflushed.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-unflushed-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

/** Two nodes with a log of the topic and of another one. */
function cluster(capabilities: readonly Capability[]): Cluster & { readonly killed: number[] } {
  const killed: number[] = []
  const nodes = [1, 2].map(id => {
    const dataDir = path.join(home, String(id))
    for (const folder of ['letters-0', 'letters-12', 'letters-sent-0', 'others-0']) {
      mkdirSync(path.join(dataDir, folder), { recursive: true })
      for (const name of ['0.log', '0.index', '0.timeindex', '0.snapshot', 'leader-epoch-checkpoint'])
        writeFileSync(path.join(dataDir, folder, name), 'content')
    }
    return { id, dataDir } as NodeState
  })
  return {
    killed,
    spec: { runtime: 'process' },
    capabilities: new Set(capabilities),
    nodes: () => Promise.resolve(nodes),
    kill: (id: number) => Promise.resolve(void killed.push(id)),
  } as unknown as Cluster & { readonly killed: number[] }
}

test('the nodes are killed, and only their logs of the topic are emptied; what is flushed when written stays', async () => {
  const made = cluster(['read-log-directory'])
  await loseUnflushed(made, [2], 'letters')
  expect(made.killed).toEqual([2])
  for (const name of ['letters-0', 'letters-12']) {
    const folder = path.join(home, '2', name)
    expect(readdirSync(folder).sort()).toEqual(['0.log', 'leader-epoch-checkpoint'])
    expect(readFileSync(path.join(folder, '0.log'), 'utf8')).toBe('')
    expect(readFileSync(path.join(folder, 'leader-epoch-checkpoint'), 'utf8')).toBe('content')
  }
  for (const untouched of ['2/others-0', '2/letters-sent-0', '1/letters-0'])
    expect(readdirSync(path.join(home, untouched))).toHaveLength(5)
})

test('a node without a log of the topic is an error, and so is a runtime whose files cannot be reached', async () => {
  await expect(loseUnflushed(cluster(['read-log-directory']), [1], 'absent')).rejects.toThrow(/no log of absent/)
  const remote = cluster([])
  await expect(loseUnflushed(remote, [1], 'letters')).rejects.toThrow(/neither cut the power nor reach/)
  expect(remote.killed).toEqual([])
})
