/** How `doctor` looks at this machine. Everything it knows comes through here, so that a test can show it any machine. */
import { lookup } from 'node:dns/promises'
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { libraryAvailable } from '../cluster/apache-kafka/fault-library.ts'
import { jarsAreComplete, jarsDirectory } from '../cluster/apache-kafka/jars.ts'
import { javaAvailable, mavenAvailable } from '../cluster/apache-kafka/java.ts'
import type { Availability } from '../cluster/cluster.ts'
import { dockerAvailable } from '../cluster/compose/docker.ts'
import { brokerImage } from '../cluster/compose/generator.ts'
import { portIsFree } from '../cluster/ports.ts'
import { stateHome } from '../cluster/state.ts'
import { messageOf } from '../errors.ts'
import { sh } from '../shell.ts'

export interface Probes {
  readonly platform: string
  readonly nodeVersion: string
  readonly cores: number
  /** What this process may still take. */
  readonly availableMemory: () => number
  /** Where clusters have their state. */
  readonly home: string
  /** Free bytes at that place. */
  readonly freeDisk: () => number
  /** Why nothing can be written there; undefined when it can. */
  readonly homeProblem: () => string | undefined
  /** A file of /proc or /sys; undefined where there is none. */
  readonly readText: (path: string) => string | undefined
  readonly portIsFree: (port: number) => Promise<boolean>
  /** Whether one can listen on this address. */
  readonly canListen: (host: string) => Promise<boolean>
  /** Addresses of a name; none where it is not known. */
  readonly lookup: (host: string) => Promise<readonly string[]>
  readonly docker: () => Promise<Availability>
  /** Whether the image of the broker is there. */
  readonly hasImage: () => Promise<boolean>
  /** Runs a command in a container of the image that may administer its network. Undefined when it worked, else what was said. */
  readonly inContainer: (command: readonly string[]) => Promise<string | undefined>
  readonly java: () => Promise<Availability>
  readonly maven: () => Promise<Availability>
  /** Whether the library can be made that breaks Apache Kafka from inside. */
  readonly library: () => Promise<Availability>
  /** Where the jars of Apache Kafka are, or will be. */
  readonly jars: string
  readonly hasJars: () => boolean
  /** The first of these commands that is there. */
  readonly firstCommand: (names: readonly string[]) => Promise<string | undefined>
}

export const realProbes: Probes = {
  platform: process.platform,
  nodeVersion: process.versions.node,
  cores: availableParallelism(),
  availableMemory: () => process.availableMemory(),
  get home() {
    return stateHome()
  },
  freeDisk() {
    let directory = stateHome()
    while (!existsSync(directory)) directory = dirname(directory)
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  },
  homeProblem() {
    const home = stateHome()
    try {
      if (existsSync(home)) accessSync(home, constants.W_OK)
      else if (existsSync(dirname(home))) accessSync(dirname(home), constants.W_OK)
      else makeFolder(dirname(home))
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  },
  readText: path => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
  portIsFree,
  canListen: host =>
    new Promise(resolve => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen({ host, port: 0 }, () => server.close(() => resolve(true)))
    }),
  async lookup(host) {
    try {
      return (await lookup(host, { all: true })).map(({ address }) => address)
    } catch {
      // What is not known is what the caller asks for.
      return []
    }
  },
  docker: dockerAvailable,
  hasImage: async () => (await sh()`docker image inspect ${brokerImage}`).ok,
  async inContainer(command) {
    const run = ['run', '--rm', '--network', 'none', '--cap-add', 'NET_ADMIN', '--user', '0', brokerImage]
    const { ok, stdall } = await sh({ timeoutMs: 30_000 })`docker ${run} ${command}`
    return ok ? undefined : stdall.trim().split('\n').at(-1)
  },
  java: javaAvailable,
  maven: mavenAvailable,
  library: libraryAvailable,
  jars: jarsDirectory(),
  hasJars: () => jarsAreComplete(),
  async firstCommand(names) {
    for (const name of names) if ((await sh()`command -v ${name}`).ok) return name
    return undefined
  },
}
