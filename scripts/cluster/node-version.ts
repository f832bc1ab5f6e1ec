/** As what version of its engine a node is started: a file of the node's own, since single nodes can be changed while others run. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { nodeDirectory, readJson, writeJson } from './state.ts'

const file = (cluster: string, id: number): string => join(nodeDirectory(cluster, id), 'version.json')

/** Undefined: that of the cluster. */
export function readNodeVersion(cluster: string, id: number): string | undefined {
  return (readJson(file(cluster, id)) as { readonly version: string } | undefined)?.version
}

export function writeNodeVersion(cluster: string, id: number, version: string): void {
  writeJson(file(cluster, id), { version })
}

/** From its next start on the node is as the cluster again. */
export function removeNodeVersion(cluster: string, id: number): void {
  rmSync(file(cluster, id), { force: true })
}
