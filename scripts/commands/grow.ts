/** `grow`: more brokers for a cluster that runs. */
import { attachCluster } from '../cluster/runtimes.ts'
import { failure } from '../errors.ts'
import { describeCluster, nodeTable } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface GrowOptions extends CommonOptions {
  readonly by: number
}

export async function grow({ name, by }: GrowOptions, { output, signal }: Session): Promise<void> {
  const cluster = await attachCluster(name)
  if (cluster.grow === undefined)
    throw failure(`A cluster of the runtime ${cluster.spec.runtime} cannot grow.`, 'Start one with more --brokers.')
  await cluster.grow(by, { progress: output.progress, signal })
  const document = await describeCluster(cluster)
  const text = output.json ? '' : await nodeTable(document, await cluster.quorum())
  output.result(document, () => text)
}
