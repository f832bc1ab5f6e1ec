/** `doctor`: what this machine can and cannot do, each with the fix, and what earlier commands left behind. */
import type { Cluster } from '../cluster/cluster.ts'
import { hostHasEnded } from '../cluster/simulated/hosted-cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { conditionOf } from '../cluster/process/liveness.ts'
import { clusterNames, DamagedFile, projectRoot, readRecord, stateHome } from '../cluster/state.ts'
import type { Finding, Grade } from '../doctor/finding.ts'
import { machineFindings } from '../doctor/machine.ts'
import { realProbes } from '../doctor/probes.ts'
import { exitCodes, ToolkitError } from '../errors.ts'
import { paint } from '../output.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function doctor(
  options: CommonOptions & { readonly fetchKafka?: boolean },
  session: Session,
): Promise<void> {
  if (options.fetchKafka === true) {
    const { apacheKafkaEngine } = await import('../cluster/apache-kafka/engine.ts')
    await apacheKafkaEngine.prepare({ progress: session.output.progress, signal: session.signal })
  }
  const isUp = clusterNames().some(isUpOrUnknown)
  const found = await Promise.all([machineFindings(realProbes, { isUp }), leftovers()])
  const findings = found.flat()
  if (findings.some(finding => finding.grade === 'bad')) session.exitCode = exitCodes.lacking
  const marks: Record<Grade, string> = {
    good: paint.green('good   '),
    lacking: paint.yellow('lacking'),
    bad: paint.red('bad    '),
  }
  session.output.result(findings, () =>
    findings
      .map(
        ({ name, grade, summary, remedy }) =>
          `${marks[grade]}  ${name}: ${summary}${remedy === undefined ? '' : `\n           ${remedy}`}`,
      )
      .join('\n'),
  )
}

/** What the machine is asked for does not fail of a file that is told of below. */
function isUpOrUnknown(name: string): boolean {
  try {
    return readRecord(name)?.phase === 'up'
  } catch (error) {
    if (error instanceof ToolkitError) return true
    throw error
  }
}

async function leftovers(): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const name of clusterNames()) {
    try {
      findings.push(...(await leftoversOf(name)))
    } catch (error) {
      if (!(error instanceof ToolkitError)) throw error
      findings.push(unreadable(name, error))
    }
  }
  if (findings.length === 0)
    findings.push({ name: 'clusters', grade: 'good', summary: `none in ${stateHome()}; project at ${projectRoot}` })
  return findings
}

/** A cluster that nothing more can be said of. Only what is damaged is to be taken away: another one may be in good health. */
function unreadable(name: string, error: ToolkitError): Finding {
  const about = { name: `cluster ${name}`, summary: error.message }
  if (error instanceof DamagedFile)
    return { ...about, grade: 'bad', remedy: `./faultline down --name ${name} ends what it finds of it` }
  return { ...about, grade: 'lacking', ...(error.remedy === undefined ? {} : { remedy: error.remedy }) }
}

async function leftoversOf(name: string): Promise<Finding[]> {
  const findings: Finding[] = []
  const record = readRecord(name)
  if (record === undefined) return []
  const remedy = `./faultline down --name ${name}`
  if (record.phase === 'starting' && (await conditionOf(record.owner)) === 'gone') {
    findings.push({
      name: `cluster ${name}`,
      grade: 'lacking',
      summary: 'its start was cut off; it left things behind',
      remedy,
    })
  } else if (record.phase === 'up' && record.spec.lab !== undefined && (await conditionOf(record.owner)) === 'gone') {
    findings.push({
      name: `cluster ${name}`,
      grade: 'lacking',
      summary: `was made for the lab ${record.spec.lab}, which was cut off; it still runs`,
      remedy,
    })
  } else if (record.phase === 'up') {
    const cluster = await attachCluster(name)
    const dead = (await cluster.nodes()).filter(node => node.state === 'dead').map(node => node.id)
    findings.push(...(await proxyFinding(cluster)))
    const secured =
      cluster.security === undefined
        ? ''
        : ` (security ${cluster.security.kind}: client files in ${cluster.security.directory})`
    const summary = dead.length === 0 ? `is up${secured}` : `node ${dead.join(', ')} has ended by itself`
    findings.push({
      name: `cluster ${name}`,
      grade: dead.length === 0 ? 'good' : 'lacking',
      summary,
      ...(dead.length === 0
        ? {}
        : // A simulated node ends with the process that simulates all of them, disks and all.
          record.spec.runtime === 'simulated' && (await hostHasEnded(name))
          ? { remedy }
          : { remedy: `./faultline start ${dead.join(' ')} --name ${name}, or ${remedy}` }),
    })
  } else
    findings.push({
      name: `cluster ${name}`,
      grade: 'good',
      summary: record.phase === 'down' ? 'is down, its data kept' : 'is being started',
    })
  return findings
}

async function proxyFinding(cluster: Cluster): Promise<Finding[]> {
  const status = await cluster.links?.status()
  if (status === undefined) return []
  const { name } = cluster.spec
  const about = { name: `fault proxy of ${name}` }
  if (status.state === 'running') {
    const faults = (await cluster.links?.faults()) ?? []
    const summary = faults.length === 0 ? 'runs' : `runs, with ${faults.length} fault(s) at work`
    return [{ ...about, grade: 'good', summary }]
  }
  return [
    {
      ...about,
      grade: 'lacking',
      summary: `has ended by itself (${status.log}): no node reaches another one`,
      remedy: `./faultline fault heal --all --name ${name} starts it again`,
    },
  ]
}
