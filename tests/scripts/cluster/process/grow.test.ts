import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { nodeIds } from '#scripts/cluster/cluster.ts'
import { faultlineEngine } from '#scripts/cluster/process/faultline-engine.ts'
import { prepareGrowth } from '#scripts/cluster/process/grow.ts'
import { writeNodeFiles } from '#scripts/cluster/process/node-files.ts'
import type { SpecRequest } from '#scripts/cluster/spec.ts'
import { type ClusterRecord, readRecord, removeState, writeRecord } from '#scripts/cluster/state.ts'
import { recordOf, useStateFolder } from '../written-cluster.ts'

const name = 'growing'
const home = useStateFolder(name)

/** What `up` leaves of a cluster beside its processes. */
async function made(request: Partial<SpecRequest> = {}): Promise<ClusterRecord> {
  const record = await recordOf({ name, runtime: 'process', ...request })
  const { spec } = record
  writeNodeFiles(record, faultlineEngine, nodeIds(spec))
  writeRecord(record)
  return record
}

const prepare = (record: ClusterRecord, by: number) => prepareGrowth(record, faultlineEngine, by)

/** All files below a folder with what is in them. */
function everything(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const paths = files.map(entry => path.join(entry.parentPath, entry.name)).sort()
  return Object.fromEntries(paths.map(file => [path.relative(folder, file), readFileSync(file, 'utf8')]))
}

describe('more brokers for a cluster of processes', () => {
  test.each<Partial<SpecRequest>>([{}, { controllers: 3 }, { proxy: true }, { proxy: true, controllers: 3 }])(
    'leave the files of all others as they were, and nothing when they are taken back: %j',
    async request => {
      const record = await made(request)
      const before = everything(home())
      const growth = await prepare(record, 2)
      expect(everything(home())).toEqual(before)
      growth.write()
      const { [`${name}/cluster.json`]: _, ...others } = before
      expect(everything(home())).toMatchObject(others)
      expect(readRecord(name)).toMatchObject({ phase: 'up', spec: { brokers: 3, added: 2 } })
      for (const id of growth.fresh)
        expect(everything(home())[`${name}/node-${id}/server.properties`]).toContain(`node.id=${id}\n`)
      growth.restore()
      expect(everything(home())).toEqual(before)
      for (const id of growth.fresh) expect(existsSync(path.join(home(), name, `node-${id}`))).toBe(false)
    },
  )

  test('have data where the others have it; what was there before stays', async () => {
    const dataDir = path.join(home(), 'elsewhere')
    mkdirSync(path.join(dataDir, 'node-4'), { recursive: true })
    writeFileSync(path.join(dataDir, 'node-4', 'mine'), 'x')
    const record = await made({ dataDir, logDirs: 2 })
    const growth = await prepare(record, 2)
    growth.write()
    expect(readdirSync(dataDir)).toEqual(expect.arrayContaining(['node-4', 'node-4-2', 'node-5', 'node-5-2']))
    expect(readRecord(name)?.foreignData).toEqual([path.join(dataDir, 'node-4')])
    growth.restore()
    expect(readdirSync(dataDir).filter(entry => /-[45]/.test(entry))).toEqual(['node-4'])
    expect(readFileSync(path.join(dataDir, 'node-4', 'mine'), 'utf8')).toBe('x')
    expect(readRecord(name)).toEqual(record)
  })

  test('are not brought back to a cluster that was taken away meanwhile', async () => {
    const growth = await prepare(await made(), 1)
    growth.write()
    removeState(name)
    growth.restore()
    expect(existsSync(path.join(home(), name))).toBe(false)
    mkdirSync(home(), { recursive: true })
  })
})
