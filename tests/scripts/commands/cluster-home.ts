/** A folder of clusters for one test file, and clusters that are written down there: nobody has started a process of them. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { nodeIds, type ClusterSpec } from '#scripts/cluster/cluster.ts'
import { ownProcess } from '#scripts/cluster/lifecycle.ts'
import { clusterSpec, type SpecRequest } from '#scripts/cluster/spec.ts'
import { nodeDirectory, writeRecord } from '#scripts/cluster/state.ts'

export class ClusterHome {
  readonly folder: string

  /** @param title  begins the name of the folder; FAULTLINE_HOME is that folder until `remove` */
  constructor(title: string) {
    this.folder = mkdtempSync(path.join(tmpdir(), title))
    process.env['FAULTLINE_HOME'] = this.folder
  }

  /** A cluster of processes that is up, says its record. */
  async record(request: Omit<SpecRequest, 'runtime'>): Promise<ClusterSpec> {
    const spec = clusterSpec({ ...request, runtime: 'process' })
    for (const id of nodeIds(spec)) mkdirSync(nodeDirectory(spec.name, id), { recursive: true })
    const owner = await ownProcess()
    writeRecord({ version: 1, spec, clusterId: 'AAAAAAAAAAAAAAAAAAAAAA', phase: 'up', owner, foreignData: [] })
    return spec
  }

  remove(): void {
    delete process.env['FAULTLINE_HOME']
    rmSync(this.folder, { recursive: true, force: true })
  }
}
