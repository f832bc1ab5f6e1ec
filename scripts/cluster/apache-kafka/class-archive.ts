/**
 * The classes of Apache Kafka, laid out for the JVM by one that has loaded them (JEP 350): with it a node needs a third less of the processor until it
 * serves. Made once for each release and each Java, as Kafka's own image does; without one a node starts as ever.
 * KAFKA_CLASS_ARCHIVE=none leaves it out, as Kafka's own scripts do.
 *
 *   VERSION.classes/kafka-HASH.jsa   of these jars, for this Java; empty: it makes none
 *   VERSION.classes/newest           the name of the one that nodes take
 *   VERSION.classes/work-…            where one is made
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { failure, messageOf } from '../../errors.ts'
import { replaceFile } from '../../replace-file.ts'
import { sh } from '../../shell.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { HOST } from '../ports.ts'
import type { PrepareOptions } from '../process/engine.ts'
import { formatProperties } from '../properties.ts'
import { jarsDirectory } from './jars.ts'
import { javaCommand } from './java.ts'

/** Longer than a node needs to start and to end, on a slow machine. The JVM ends itself, too, should nobody be there any more to end it. */
const trainingMs = 120_000
const endsItself = '-XX:SelfDestructTimer=3'

/** How a release of Kafka is run for it. */
export interface Trainee {
  /** What a JVM is given to run the main class of a node, but for the file with its settings. */
  readonly nodeArguments: readonly string[]
  readonly format: (node: { readonly propertiesFile: string; readonly dataDir: string }) => Promise<void>
}

const isWanted = (): boolean => process.env['KAFKA_CLASS_ARCHIVE'] !== 'none'
const folderOf = (version: string): string => `${jarsDirectory(version)}.classes`
const newestFile = (version: string): string => join(folderOf(version), 'newest')

/** For a JVM of Kafka's, of this release. One of another Java passes over what it is given. */
export function archiveArguments(version: string): string[] {
  if (!isWanted() || !existsSync(newestFile(version))) return []
  const archive = join(folderOf(version), readFileSync(newestFile(version), 'utf8'))
  return (statSync(archive, { throwIfNoEntry: false })?.size ?? 0) > 0 ? [`-XX:SharedArchiveFile=${archive}`] : []
}

/** For the nodes that are started from now on. Never fails but by the signal: nodes start without, too. */
export async function makeArchive(version: string, trainee: Trainee, options: PrepareOptions): Promise<void> {
  if (!isWanted()) return
  const { progress, signal } = options
  try {
    const name = await nameNow(version, signal)
    if (existsSync(newestFile(version)) && readFileSync(newestFile(version), 'utf8') === name) return
    makeFolder(folderOf(version))
    await inTurnOfFile(
      join(folderOf(version), 'turn'),
      async () => {
        if (!existsSync(join(folderOf(version), name))) await make(version, name, trainee, options)
        replaceFile(newestFile(version), name)
      },
      pid => failure(`another command (process ${pid ?? 'unknown'}) is making it`),
    )
  } catch (error) {
    signal?.throwIfAborted()
    progress(`The classes of Apache Kafka ${version} are not laid out, and nodes start without: ${messageOf(error)}`)
  }
}

/** Differs where the Java or any of the jars does. */
async function nameNow(version: string, signal: AbortSignal | undefined): Promise<string> {
  const { stdall } = await sh({ signal })`${javaCommand()} -version`
  // What else it says comes of the environment.
  const java = stdall.split('\n').filter(line => !line.startsWith('Picked up '))
  const jars = readdirSync(jarsDirectory(version))
    .sort()
    .map(jar => [jar, statSync(join(jarsDirectory(version), jar))] as const)
  const text = [...java, ...jars.map(([jar, { size, mtimeMs }]) => `${jar} ${size} ${mtimeMs}`)].join('\n')
  return `kafka-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.jsa`
}

async function make(version: string, name: string, trainee: Trainee, { progress, signal }: PrepareOptions) {
  progress(`Laying out the classes of Apache Kafka ${version} for this Java (once; nodes start faster with it)`)
  removeOldWork(version)
  const work = mkdtempSync(join(folderOf(version), 'work-'))
  try {
    const archive = join(work, name)
    await train(work, archive, trainee, signal)
    // Some have served, and make none.
    const content = existsSync(archive) ? readFileSync(archive) : ''
    replaceFile(join(folderOf(version), name), content, { flush: true })
    if (content === '') throw failure('this Java makes no archive of them')
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Of commands that were killed at it: it is our turn. */
function removeOldWork(version: string): void {
  for (const name of readdirSync(folderOf(version)))
    if (name.startsWith('work-')) rmSync(join(folderOf(version), name), { recursive: true, force: true })
}

/** One node for itself starts, serves and ends, and what it has loaded is kept. */
async function train(
  work: string,
  archive: string,
  { nodeArguments, format }: Trainee,
  signal: AbortSignal | undefined,
): Promise<void> {
  const propertiesFile = join(work, 'server.properties')
  const dataDir = join(work, 'data')
  const controller = await freePort()
  writeFileSync(
    propertiesFile,
    formatProperties({
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@${HOST}:${controller}`,
      'controller.listener.names': 'CONTROLLER',
      listeners: `PLAINTEXT://${HOST}:0,CONTROLLER://${HOST}:${controller}`,
      'log.dirs': dataDir,
    }),
  )
  await format({ propertiesFile, dataDir })
  const record = ['-Xmx512m', '-XX:+UseG1GC', endsItself, `-XX:ArchiveClassesAtExit=${archive}`]
  const node = execa(javaCommand(), [...record, ...nodeArguments, propertiesFile], {
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    timeout: trainingMs,
    // Nobody wants what one leaves that is broken off.
    killSignal: 'SIGKILL',
    // Writing it down is part of an orderly end, and takes a while.
    forceKillAfterDelay: false,
    reject: false,
    all: true,
  })
  let hasServed = false
  let last = ''
  for await (const line of createInterface({ input: node.all })) {
    last = line
    if (!line.includes('Kafka Server started')) continue
    hasServed = true
    node.kill('SIGTERM')
  }
  const { timedOut } = await node
  signal?.throwIfAborted()
  if (timedOut) throw failure(`a node did not start and end within ${trainingMs / 1000} s`)
  if (!hasServed) throw failure(`a node did not start; it said last: ${last.slice(0, 300)}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, HOST), 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
