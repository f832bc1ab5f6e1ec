/** `doctor`: every thing a command could stumble over on this machine, each with what it is needed for and the way to get it. */
import { accessSync, constants, existsSync, mkdirSync, statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import type { Availability, Cluster, Engine, RuntimeName } from '../cluster/cluster.ts'
import { fetchJars } from '../cluster/apache-kafka/jars.ts'
import { attachCluster, runtimeByName } from '../cluster/runtimes.ts'
import { conditionOf } from '../cluster/process/liveness.ts'
import { portIsFree } from '../cluster/ports.ts'
import { clusterNames, projectRoot, readRecord, stateHome } from '../cluster/state.ts'
import { exitCodes, messageOf } from '../errors.ts'
import { paint } from '../output.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

/** `bad`: nothing works without it. `lacking`: something optional does not. */
type Grade = 'good' | 'lacking' | 'bad'

interface Finding {
  readonly name: string
  readonly grade: Grade
  readonly summary: string
  readonly remedy?: string
}

const GiB = 1 << 30
const NODE_OLDEST = 26

export async function doctor(
  options: CommonOptions & { readonly fetchKafka?: boolean },
  session: Session,
): Promise<void> {
  if (options.fetchKafka === true) {
    await fetchJars({ progress: session.output.progress, signal: session.signal })
  }
  const asked = await Promise.all([
    ports(),
    engine('process', 'apache-kafka'),
    engine('compose', 'faultline'),
    leftovers(),
  ])
  const findings = [...nodeVersion(), ...memory(), ...disk(), ...stateIsWritable(), ...asked.flat()]
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

function nodeVersion(): Finding[] {
  const major = Number(process.versions.node.split('.')[0])
  const name = 'Node.js'
  if (major >= NODE_OLDEST)
    return [{ name, grade: 'good', summary: `${process.versions.node}, ${availableParallelism()} processor cores` }]
  return [
    {
      name,
      grade: 'bad',
      summary: `${process.versions.node}; ${NODE_OLDEST} or newer is needed`,
      remedy: 'In a checkout make setup brings it along; else: https://nodejs.org',
    },
  ]
}

function memory(): Finding[] {
  const free = process.availableMemory()
  const summary = `${(free / GiB).toFixed(1)} GiB can be used`
  const remedy = 'Three brokers need about 0.3 GiB, three of Apache Kafka 1.4 GiB.'
  return [
    free >= 0.5 * GiB
      ? { name: 'memory', grade: 'good', summary }
      : { name: 'memory', grade: 'lacking', summary, remedy },
  ]
}

function disk(): Finding[] {
  let directory = stateHome()
  while (!existsSync(directory)) directory = dirname(directory)
  const { bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  const summary = `${(free / GiB).toFixed(1)} GiB free at ${directory}`
  return [
    free >= GiB
      ? { name: 'disk', grade: 'good', summary }
      : {
          name: 'disk',
          grade: 'lacking',
          summary,
          remedy: 'Free some, or move the state: FAULTLINE_HOME=DIR, --data DIR',
        },
  ]
}

function stateIsWritable(): Finding[] {
  const home = stateHome()
  try {
    if (existsSync(home)) accessSync(home, constants.W_OK)
    else if (existsSync(dirname(home))) accessSync(dirname(home), constants.W_OK)
    else mkdirSync(dirname(home), { recursive: true })
    return [{ name: 'state', grade: 'good', summary: home }]
  } catch (error) {
    return [
      {
        name: 'state',
        grade: 'bad',
        summary: `${home} cannot be written: ${messageOf(error)}`,
        remedy: 'Choose another place: FAULTLINE_HOME=DIR',
      },
    ]
  }
}

async function ports(): Promise<Finding[]> {
  const wanted = [9092, 9093, 9094]
  const mine = clusterNames().some(name => readRecord(name)?.phase === 'up')
  const free = await Promise.all(wanted.map(portIsFree))
  const taken = wanted.filter((_, index) => free[index] === false)
  const name = 'ports'
  if (taken.length === 0) return [{ name, grade: 'good', summary: `${wanted.join(', ')} are free` }]
  if (mine) return [{ name, grade: 'good', summary: `${taken.join(', ')} taken, a cluster of yours is up` }]
  return [
    {
      name,
      grade: 'lacking',
      summary: `${taken.join(', ')} taken`,
      remedy: 'Stop what listens there (ss -ltnp), or use ./faultline up --port 19092',
    },
  ]
}

async function engine(runtimeName: RuntimeName, engineName: Engine): Promise<Finding[]> {
  const name = runtimeName === 'compose' ? 'Docker' : 'Apache Kafka'
  const found: Availability = await (await runtimeByName(runtimeName)).available(engineName)
  if (!found.available) return [{ name, grade: 'lacking', summary: found.missing, remedy: found.remedy }]
  const use = runtimeName === 'compose' ? 'answers: --runtime compose' : `can run: --engine apache-kafka`
  return [{ name, grade: 'good', summary: use }]
}

async function leftovers(): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const name of clusterNames()) {
    const record = readRecord(name)
    if (record === undefined) continue
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
        ...(dead.length === 0 ? {} : { remedy: `./faultline start ${dead.join(' ')} --name ${name}, or ${remedy}` }),
      })
    } else
      findings.push({
        name: `cluster ${name}`,
        grade: 'good',
        summary: record.phase === 'down' ? 'is down, its data kept' : 'is being started',
      })
  }
  if (findings.length === 0)
    findings.push({ name: 'clusters', grade: 'good', summary: `none in ${stateHome()}; project at ${projectRoot}` })
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
