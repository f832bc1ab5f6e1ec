/** `grow`: more brokers for a cluster that runs. */
import { findCluster } from '../cluster/lifecycle.ts'
import { runtimeByName } from '../cluster/runtimes.ts'
import { failure } from '../errors.ts'
import { describeCluster, nodeTable } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface GrowOptions extends CommonOptions {
  readonly by: number
}

export async function grow({ name, by }: GrowOptions, { output, signal }: Session): Promise<void> {
  const { spec } = findCluster(name)
  const runtime = await runtimeByName(spec.runtime)
  if (runtime.grow === undefined) {
    throw failure(
      `A cluster of the runtime ${spec.runtime} cannot grow.`,
      'Start one with --runtime process, or with more --brokers.',
    )
  }
  const cluster = await runtime.grow(name, by, { progress: output.progress, signal })
  const document = await describeCluster(cluster)
  const text = output.json ? '' : await nodeTable(document, await cluster.quorum())
  output.result(document, () => text)
}
