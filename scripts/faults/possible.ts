/** Whether a fault can be applied to a cluster at all, which is known before its time has come. */
import type { Cluster } from '../cluster/cluster.ts'
import { usageError } from '../errors.ts'
import { checkParameters, type Parameters } from '../proxy/parameters.ts'
import type { FaultKind } from './kind.ts'
import { whyNotWithoutProxy } from './link-kinds.ts'

/** Refuses a kind that this cluster cannot have, and parameters that cannot be meant. */
export function requirePossible(cluster: Cluster, kind: FaultKind, parameters: Parameters): void {
  const { runtime, engine } = cluster.spec
  const lacking = kind.needs.find(capability => !cluster.capabilities.has(capability))
  const reason =
    kind.impossible(cluster.spec) ??
    whyNotWithoutProxy(cluster, kind) ??
    (lacking === undefined ? undefined : (ways[lacking] ?? `it lacks ${lacking}`))
  if (reason !== undefined)
    throw usageError(
      `The fault ${kind.name} is not there on this cluster (${runtime}, ${engine}): ${reason}.`,
      './faultline fault list --kinds --json tells what is there where.',
    )
  checkParameters(kind.name, kind.parameters, parameters)
  kind.check?.(parameters)
}

/** What a cluster has that was started for it. */
const ways: Readonly<Record<string, string>> = {
  partition: 'its links can be broken when it is started with up --proxy',
  'node-faults': 'its nodes take orders for faults inside them when it is started with up --faults',
  'power-failure': 'its nodes note what they have not fsynced when it is started with up --faults',
}
