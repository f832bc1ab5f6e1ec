/** Whether what a topology says fits the cluster that becomes of it, options of the command line included. Each refusal names its place. */
import { proxyTopology } from '../process/proxied-addresses.ts'
import { linkName } from '../../proxy/model.ts'
import { selectLinks } from '../../proxy/select-links.ts'
import { completeParameters, linkFaultKind } from '../../proxy/kinds.ts'
import { type ClusterSpec, FIRST_CONTROLLER_ID, nodeIds } from '../cluster.ts'
import { requireKnownSettings } from '../known-settings.ts'
import { faultsOfLink, reasonOf } from './check.ts'
import { ShapeError } from './shape.ts'
import type { LinkEnd, Topology } from './topology.ts'

/** Throws ShapeError where a link cannot be there. */
export function requireLinksFit(topology: Topology, spec: ClusterSpec): void {
  const ids = nodeIds(spec)
  for (const [index, entry] of (topology.links ?? []).entries()) {
    const path = `links[${index}]`
    for (const side of ['from', 'to'] as const) {
      const ends = (Array.isArray(entry[side]) ? entry[side] : [entry[side]]) as readonly LinkEnd[]
      const stranger = ends.find(end => typeof end === 'number' && !ids.includes(end))
      if (stranger !== undefined)
        throw new ShapeError(
          `${path}.${side}`,
          `there is no node ${JSON.stringify(stranger)}; the cluster has ${ids.join(', ')}`,
        )
    }
    requireTopicId(entry.parameters ?? {}, path)
    const { links } = proxyTopology(spec)
    for (const { kind, parameters = {}, ...request } of faultsOfLink(topology, entry, path)) {
      try {
        selectLinks(links, { ...request, kind, parameters: completeParameters(linkFaultKind(kind), parameters) })
      } catch (error) {
        const all = links.length > 12 ? '' : `; the links are ${links.map(linkName).join(', ')}`
        throw new ShapeError(path, `${reasonOf(error)}${all}`)
      }
    }
  }
}

/** No topic is there before its cluster, and newer requests name topics by ids alone: a name would never match them. */
function requireTopicId(parameters: Readonly<Record<string, unknown>>, path: string): void {
  if (parameters['topic'] === undefined || parameters['topic-id'] !== undefined) return
  throw new ShapeError(
    `${path}.parameters.topic`,
    'newer requests name topics by their ids, which are not known before the cluster is there: give topic-id, too, or add the fault with "fault add" once the topic is there',
  )
}

/** Refuses settings that no broker knows. @param prefix  what the places are behind: `--topology FILE: ` */
export async function requireSettingsFit(prefix: string, spec: ClusterSpec): Promise<void> {
  await requireKnownSettings(spec, `${prefix}settings`, id =>
    id >= FIRST_CONTROLLER_ID
      ? `${prefix}controllers[${id - FIRST_CONTROLLER_ID}].settings`
      : `${prefix}brokers[${id - 1}].settings`,
  )
}
