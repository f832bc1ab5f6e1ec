/** Broker settings that people give: refused when our broker knows no such name, or cannot take the value. */
import { usageError } from '../errors.ts'
import { nodeIds, type ClusterSpec } from './cluster.ts'
import { engineOf } from './engine-name.ts'

/**
 * A broker ignores a name that it does not know, as Kafka's does; whoever types one here has mistyped it.
 *
 * @param option  where settings of all nodes come from: `--set`
 * @param ofNode  where those of a node come from
 */
export async function requireKnownSettings(
  spec: ClusterSpec,
  option: string,
  ofNode = (id: number): string => `A setting of node ${id}`,
): Promise<void> {
  const isOurs = (id: number): boolean => engineOf(spec, id).engine === 'faultline'
  const own = Object.entries(spec.nodes ?? {}).filter(([, { settings = {} }]) => Object.keys(settings).length > 0)
  const everywhere =
    Object.keys(spec.settings).length === 0 ? [] : [{ id: nodeIds(spec).find(isOurs) ?? 1, what: option }]
  const nodes = [...everywhere, ...own.map(([id]) => ({ id: Number(id), what: ofNode(Number(id)) }))]
  const ours = nodes.filter(({ id }) => isOurs(id))
  if (ours.length === 0) return
  const [{ parseBrokerConfig }, { ConfigError }, { processNodeProperties }] = await Promise.all([
    import('#broker/config/parse.ts'),
    import('#broker/config/table.ts'),
    import('./process/node-files.ts'),
  ])
  for (const { id, what } of ours) {
    const properties = processNodeProperties({ ...spec, port: spec.port === 0 ? 9092 : spec.port }, id)
    const refuse = (reason: string): never => {
      throw usageError(
        `${what} is not understood: ${reason}.`,
        'Settings have the names of Kafka’s broker configs: https://kafka.apache.org/documentation/#brokerconfigs',
      )
    }
    try {
      const [unknown] = parseBrokerConfig(new Map(Object.entries(properties))).unknown
      if (unknown !== undefined) refuse(unknown)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      refuse(error.message)
    }
  }
}
