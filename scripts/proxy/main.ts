/**
 * The process of a fault proxy: `node main.ts DIRECTORY [--end-with-stdin]`, with the links in `topology.json` there. Writes `control.json` once every link listens.
 * Ends when it is told to; its faults and connections end with it.
 */
import { join } from 'node:path'
import { readJson, writeJson } from '../cluster/state.ts'
import { failure, messageOf } from '../errors.ts'
import { controlFileName, topologyFileName, type ControlFile } from './control-protocol.ts'
import { serveControl } from './control.ts'
import type { ProxyTopology } from './model.ts'
import { FaultProxy } from './proxy.ts'

async function main(directory: string): Promise<void> {
  const topology = readJson(join(directory, topologyFileName)) as ProxyTopology | undefined
  if (topology === undefined) throw failure(`${join(directory, topologyFileName)} is missing.`)
  const proxy = new FaultProxy(topology)
  await proxy.listen()
  const controlPort = await serveControl(proxy)
  writeJson(join(directory, controlFileName), { controlPort } satisfies ControlFile)
  console.log(`${topology.links.length} links, control on port ${controlPort}`)
}

const [directory, option] = process.argv.slice(2)
if (option === '--end-with-stdin') process.stdin.once('close', () => process.exit(0)).resume()
if (directory === undefined) throw failure('Expected the directory of a proxy.')
main(directory).catch((error: unknown) => {
  console.error(messageOf(error))
  process.exit(1)
})
