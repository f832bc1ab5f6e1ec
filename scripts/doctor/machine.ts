/** What this machine can and cannot do for a cluster, each with what it is needed for and the fix. */
import { bad, good, lacking, type Finding } from './finding.ts'
import type { Probes } from './probes.ts'

const GiB = 2 ** 30
const MiB = 2 ** 20
const nodeOldest = 26
/** Three brokers with their logs, connections and a client or two. */
const descriptorsLeast = 4096
/** Three JVMs have about a hundred threads each. */
const tasksLeast = 600
const wantedPorts = [9092, 9093, 9094]
const browsers = ['chromium', 'chromium-browser', 'google-chrome', 'chrome']

export interface MachineOptions {
  /** A cluster of this user is up, and may have the ports. */
  readonly isUp: boolean
}

/** In the order in which they are shown. */
export async function machineFindings(probes: Probes, options: MachineOptions): Promise<Finding[]> {
  const [found, ipv4, jvm, containers, browser] = await Promise.all([
    ports(probes, options),
    addresses(probes),
    kafka(probes),
    dockerFindings(probes),
    browserFinding(probes),
  ])
  return [
    ...node(probes),
    ...memory(probes),
    ...processors(probes),
    ...disk(probes),
    ...state(probes),
    ...descriptors(probes),
    ...tasks(probes),
    ...found,
    ...ipv4,
    ...jvm,
    ...containers,
    ...browser,
  ]
}

function node({ nodeVersion, cores }: Probes): Finding[] {
  const name = 'Node.js'
  if (Number(nodeVersion.split('.')[0]) >= nodeOldest)
    return [good(name, `${nodeVersion}, ${cores} processor core${cores === 1 ? '' : 's'}`)]
  const remedy = 'In a checkout make setup brings it along; else: https://nodejs.org'
  return [bad(name, `${nodeVersion}; ${nodeOldest} or newer is needed`, remedy)]
}

function memory(probes: Probes): Finding[] {
  const free = probes.availableMemory()
  const limit = cgroupBytes(probes)
  const ofGroup = limit === undefined ? '' : `; its control group has ${inGiB(limit)} in all`
  const summary = `${inGiB(free)} can be used${ofGroup}`
  if (free >= 0.5 * GiB) return [good('memory', summary)]
  const remedy =
    limit === undefined
      ? 'Three brokers need about 0.3 GiB, three of Apache Kafka 1.4 GiB: close something, or --brokers 1'
      : `Raise the limit of the container or service (docker run --memory 2g, MemoryMax=), or --brokers 1`
  return [lacking('memory', summary, remedy)]
}

/** The limit of this process's control group, of version 2 or 1; undefined where there is none. */
function cgroupBytes({ readText }: Probes): number | undefined {
  const text = readText('/sys/fs/cgroup/memory.max') ?? readText('/sys/fs/cgroup/memory/memory.limit_in_bytes')
  const bytes = Number(text?.trim())
  // Version 1 says "no limit" by a number that no machine has.
  return text === undefined || Number.isNaN(bytes) || bytes > 2 ** 60 ? undefined : bytes
}

function processors({ readText, cores }: Probes): Finding[] {
  const [quota = 'max', period = '100000'] = (readText('/sys/fs/cgroup/cpu.max') ?? '').trim().split(' ')
  const share = Number(quota === '' ? Number.NaN : quota) / Number(period)
  if (Number.isNaN(share) || share >= 1) return []
  const remedy =
    'Raise it (docker run --cpus 2, CPUQuota=): starts take long, and brokers miss their heartbeats under load'
  return [lacking('processors', `the control group has ${share.toFixed(1)} of ${cores} cores`, remedy)]
}

function disk(probes: Probes): Finding[] {
  const free = probes.freeDisk()
  const summary = `${inGiB(free)} free for ${probes.home}`
  if (free >= GiB) return [good('disk', summary)]
  return [lacking('disk', summary, 'Free some, or move the state: FAULTLINE_HOME=DIR, --data DIR')]
}

function state({ home, homeProblem }: Probes): Finding[] {
  const problem = homeProblem()
  if (problem === undefined) return [good('state', home)]
  return [bad('state', `${home} cannot be written: ${problem}`, 'Choose another place: FAULTLINE_HOME=DIR')]
}

/** Node.js raises the soft limit to the hard one by itself. */
function descriptors({ readText }: Probes): Finding[] {
  const name = 'file descriptors'
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readText('/proc/self/limits') ?? '')?.[1]
  if (hard === undefined) return []
  const summary = hard === 'unlimited' ? 'no limit' : `a process may have ${hard}`
  if (hard === 'unlimited' || Number(hard) >= descriptorsLeast) return [good(name, summary)]
  const remedy = `ulimit -Hn 65536 as root, nofile in /etc/security/limits.conf, or docker run --ulimit nofile=65536: a broker with fewer than ${descriptorsLeast} refuses work when it has many logs or clients`
  return [lacking(name, summary, remedy)]
}

function tasks({ readText }: Probes): Finding[] {
  const most = Number(readText('/sys/fs/cgroup/pids.max')?.trim() ?? 'max')
  if (Number.isNaN(most) || most >= tasksLeast) return []
  const remedy = `Raise it (docker run --pids-limit 2048, TasksMax=): Apache Kafka has about a hundred threads a node`
  return [lacking('processes', `the control group may have ${most} processes and threads`, remedy)]
}

async function ports({ portIsFree }: Probes, { isUp }: MachineOptions): Promise<Finding[]> {
  const free = await Promise.all(wantedPorts.map(portIsFree))
  const taken = wantedPorts.filter((_, index) => free[index] === false).join(', ')
  const name = 'ports'
  if (taken === '') return [good(name, `${wantedPorts.join(', ')} are free`)]
  if (isUp) return [good(name, `${taken} taken, a cluster of yours is up`)]
  return [lacking(name, `${taken} taken`, 'Stop what listens there (ss -ltnp), or use ./faultline up --port 19092')]
}

/** Brokers are at 127.0.0.1; a client that is told `localhost` may try ::1 first, where nobody listens. */
async function addresses({ canListen, lookup }: Probes): Promise<Finding[]> {
  const name = 'localhost'
  if (!(await canListen('127.0.0.1')))
    return [bad(name, 'nothing can listen on 127.0.0.1', 'Bring the loopback interface up: ip link set lo up')]
  const found = await lookup('localhost')
  if (found.length === 0)
    return [lacking(name, 'has no address', 'Add it to /etc/hosts: 127.0.0.1 localhost; or tell clients 127.0.0.1')]
  if (!found.includes('127.0.0.1'))
    return [
      lacking(name, `is ${found.join(', ')}, where no broker listens`, 'Tell clients 127.0.0.1:9092, as up says it'),
    ]
  if (found[0] === '127.0.0.1') return [good(name, found.join(', '))]
  return [
    good(name, `${found.join(', ')}: brokers are at 127.0.0.1, which clients should be told instead of localhost`),
  ]
}

async function kafka({ java, maven, library, hasJars, jars }: Probes): Promise<Finding[]> {
  const [javaFound, mavenFound, libraryFound] = await Promise.all([java(), maven(), library()])
  const findings: Finding[] = [
    javaFound.available
      ? good('Java', 'can run --engine apache-kafka')
      : lacking('Java', javaFound.missing, javaFound.remedy),
    libraryFound.available
      ? good('C compiler', 'can make the library that breaks Apache Kafka from inside: --engine apache-kafka --faults')
      : lacking('C compiler', libraryFound.missing, libraryFound.remedy),
  ]
  if (hasJars()) return [...findings, good('Apache Kafka', `its jars are in ${jars}`)]
  if (!mavenFound.available)
    return [
      ...findings,
      lacking('Maven', mavenFound.missing, mavenFound.remedy),
      lacking('Apache Kafka', `no jars in ${jars}, and no Maven to fetch them`, 'Install Maven, or set KAFKA_CACHE'),
    ]
  const remedy = './faultline doctor --fetch-kafka fetches them now; else the first start does (130 MB)'
  return [...findings, good('Maven', 'is there'), lacking('Apache Kafka', `no jars in ${jars} yet`, remedy)]
}

async function dockerFindings({ docker, hasImage, inContainer }: Probes): Promise<Finding[]> {
  const found = await docker()
  if (!found.available) return [lacking('Docker', found.missing, found.remedy)]
  const answers = good('Docker', 'answers, with Compose: --runtime compose')
  const image = 'container image'
  if (!(await hasImage()))
    return [answers, lacking(image, 'is not built yet', 'make images builds it now; else the first start does')]
  const refused = await inContainer(['true'])
  if (refused === undefined)
    return [
      answers,
      good(image, 'is there, and containers of it may be given NET_ADMIN, which faults of links can ask for'),
    ]
  const remedy =
    'Faults of links in containers need it: allow it in the engine (rootless engines and some policies do not), or use --runtime process --proxy'
  return [answers, lacking(image, `is there, but no container of it gets NET_ADMIN: ${refused}`, remedy)]
}

async function browserFinding({ firstCommand }: Probes): Promise<Finding[]> {
  const found = await firstCommand(browsers)
  if (found !== undefined) return [good('browser', `${found} can show reports`)]
  const remedy = 'Reports are files that any browser shows; on this machine: apt-get install chromium'
  return [lacking('browser', 'no Chromium or Chrome', remedy)]
}

function inGiB(bytes: number): string {
  return bytes < GiB ? `${Math.floor(bytes / MiB)} MiB` : `${(bytes / GiB).toFixed(1)} GiB`
}
