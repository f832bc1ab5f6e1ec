/** `status`: the nodes of a cluster as they are now. */
import { attachCluster } from '../cluster/runtimes.ts'
import { clusterNames, readRecord } from '../cluster/state.ts'
import { describeCluster, nodeTable, proxyLines, securityLines } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function status(options: CommonOptions, session: Session): Promise<void> {
  const cluster = await attachCluster(options.name)
  const [document, quorum] = await Promise.all([describeCluster(cluster), cluster.quorum()])
  const table = session.output.json ? '' : await nodeTable(document, quorum)
  session.output.result({ ...document, ...(quorum === undefined ? {} : { activeController: quorum.leaderId }) }, () =>
    [
      `${document.name}: ${document.engine} on ${document.runtime}${phaseText(options.name)}`,
      '',
      table,
      '',
      ...securityLines(document),
      ...proxyLines(document),
      ...others(options.name),
      `bootstrap: ${document.bootstrap}`,
    ].join('\n'),
  )
}

function phaseText(name: string): string {
  return readRecord(name)?.phase === 'down'
    ? `, down with its data kept (./faultline up --name ${name} continues it)`
    : ''
}

function others(name: string): string[] {
  const names = clusterNames().filter(other => other !== name)
  return names.length === 0 ? [] : [`Other clusters: ${names.join(', ')}`]
}
