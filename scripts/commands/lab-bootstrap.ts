/** `lab run --bootstrap`: labs on a cluster that somebody else has started. */
import { clientOptionsFrom } from '../cluster/external/client-properties.ts'
import { externalRuntime, parseBootstrap, type ExternalRuntime } from '../cluster/external/runtime.ts'
import { failure } from '../errors.ts'

export interface Foreign {
  readonly runtime: ExternalRuntime
  /** Runs a lab; when the guard refuses what it wants, the run is given up and rejects with the reason. */
  readonly unlessRefused: <T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) => Promise<T>
}

export interface ForeignOptions {
  readonly bootstrap: string
  readonly commandConfig?: string
  readonly allowClusterChanges?: boolean
}

export function foreignCluster({ bootstrap, commandConfig, allowClusterChanges }: ForeignOptions): Foreign {
  let refusing = new AbortController()
  const refused = (what: string) =>
    refusing.abort(
      failure(
        `The lab was stopped, since it wanted more than is allowed on a cluster that is not ours: ${what}.`,
        '--allow-cluster-changes allows what changes the cluster; topics and groups of others stay untouched.',
      ),
    )
  const runtime = externalRuntime({
    bootstrap: parseBootstrap(bootstrap),
    client: commandConfig === undefined ? {} : clientOptionsFrom(commandConfig),
    allowsClusterChanges: allowClusterChanges === true,
    refused,
  })
  return {
    runtime,
    unlessRefused: async (signal, work) => {
      refusing = new AbortController()
      const mine = refusing
      try {
        const result = await work(AbortSignal.any([signal, mine.signal]))
        mine.signal.throwIfAborted()
        return result
      } catch (error) {
        if (!signal.aborted) mine.signal.throwIfAborted()
        throw error
      }
    },
  }
}
