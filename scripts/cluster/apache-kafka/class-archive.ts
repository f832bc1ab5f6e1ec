/**
 * The classes of Apache Kafka, laid out for the JVM by one that has loaded them (JEP 350): with it a node needs a third less of the processor until it
 * serves. Made once for each release and each Java, as Kafka's own image does; without one a node starts as ever.
 * KAFKA_CLASS_ARCHIVE=none leaves it out, as Kafka's own scripts do.
 */
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { execa } from 'execa'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { messageOf } from '../../errors.ts'
import { replaceFile } from '../../replace-file.ts'
import { sh } from '../../shell.ts'
import { HOST } from '../ports.ts'
import type { PrepareOptions } from '../process/engine.ts'
import { formatProperties } from '../properties.ts'
import { jarsDirectory } from './jars.ts'
import { javaCommand } from './java.ts'

/** Longer than a node needs to start and to end, on a slow machine. The JVM ends itself, too, should nobody be there any more to end it. */
const trainingMs = 120_000
const endsItself = '-XX:SelfDestructTimer=3'

const isWanted = (): boolean => process.env['KAFKA_CLASS_ARCHIVE'] !== 'none'

const archiveFile = (version: string): string => `${jarsDirectory(version)}.classes/kafka.jsa`
/** Says which Java has made it, of which jars; another one passes it over, and so does one that has others. */
const makerFile = (version: string): string => `${jarsDirectory(version)}.classes/made-by`

/** For a JVM of Kafka's, of this release. */
export function archiveArguments(version: string): string[] {
  return isWanted() && existsSync(archiveFile(version)) ? [`-XX:SharedArchiveFile=${archiveFile(version)}`] : []
}

/** @param javaArguments  of a JVM that runs a class of Kafka's */
export async function makeArchive(
  version: string,
  javaArguments: (mainClass: string) => readonly string[],
  { progress, signal }: PrepareOptions,
): Promise<void> {
  if (!isWanted()) return
  const maker = await makerNow(version, signal)
  if (madeBy(version) === maker) return
  progress(`Laying out the classes of Apache Kafka ${version} for this Java (once; nodes start faster with it)`)
  const work = mkdtempSync(join(tmpdir(), 'faultline-classes-'))
  try {
    const archive = join(work, 'kafka.jsa')
    await train(work, archive, javaArguments, signal)
    makeFolder(dirname(archiveFile(version)))
    replaceFile(archiveFile(version), readFileSync(archive))
    replaceFile(makerFile(version), maker)
  } catch (error) {
    signal?.throwIfAborted()
    progress(`There is no archive of the classes, and nodes start without: ${messageOf(error)}`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function makerNow(version: string, signal: AbortSignal | undefined): Promise<string> {
  const { stdall } = await sh({ signal })`${javaCommand()} -version`
  return [stdall.trim(), ...readdirSync(jarsDirectory(version)).sort()].join('\n')
}

/** Undefined when there is no archive. */
function madeBy(version: string): string | undefined {
  return existsSync(archiveFile(version)) && existsSync(makerFile(version))
    ? readFileSync(makerFile(version), 'utf8')
    : undefined
}

/** One node for itself starts, serves and ends, and what it has loaded is kept. */
async function train(
  work: string,
  archive: string,
  javaArguments: (mainClass: string) => readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const properties = join(work, 'server.properties')
  const controller = await freePort()
  writeFileSync(
    properties,
    formatProperties({
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@${HOST}:${controller}`,
      'controller.listener.names': 'CONTROLLER',
      listeners: `PLAINTEXT://${HOST}:0,CONTROLLER://${HOST}:${controller}`,
      'log.dirs': join(work, 'data'),
      'offsets.topic.replication.factor': '1',
    }),
  )
  const options = { ...(signal === undefined ? {} : { cancelSignal: signal }), timeout: trainingMs, all: true } as const
  const format = ['format', '--cluster-id', 'FaultlineTemplate00001', '--config', properties]
  await execa(javaCommand(), ['-Xmx128m', ...javaArguments('kafka.tools.StorageTool'), ...format], options)
  const record = [endsItself, `-XX:ArchiveClassesAtExit=${archive}`]
  const node = execa(
    javaCommand(),
    ['-Xmx512m', '-XX:+UseG1GC', ...record, ...javaArguments('kafka.Kafka'), properties],
    // Writing it down is part of its end.
    { ...options, reject: false, forceKillAfterDelay: trainingMs },
  )
  for await (const line of createInterface({ input: node.all })) {
    if (line.includes('Kafka Server started')) node.kill('SIGTERM')
  }
  const { shortMessage } = await node
  if (!existsSync(archive)) throw new Error(shortMessage ?? 'the JVM has written none')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, HOST), 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
