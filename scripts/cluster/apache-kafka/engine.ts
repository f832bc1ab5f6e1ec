/**
 * Apache Kafka itself as the engine: the reference that labs are compared with. One JVM per node, the jars from Maven.
 * KAFKA_HEAP_OPTS and KAFKA_JVM_PERFORMANCE_OPTS mean what they mean to Kafka's own start script.
 */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { parseProperties } from '#broker/config/properties.ts'
import { failure } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { sh } from '../../shell.ts'
import { parseEngine } from '../engine-name.ts'
import type { NodeFiles, PrepareOptions, ProcessEngine } from '../process/engine.ts'
import { formatProperties } from '../properties.ts'
import { archiveArguments, makeArchive } from './class-archive.ts'
import { performanceOptions, quickOptions } from './java-options.ts'
import { fetchJars, jarsAreComplete, jarsDirectory, kafkaVersion, usesLog4j1 } from './jars.ts'
import { randomUuid } from './uuid.ts'
import { javaAvailable, javaCommand, mavenAvailable } from './java.ts'
import { preloadEnvironment } from './preload.ts'

const MiB = 1 << 20

/** A release of Apache Kafka, from 3.7.0 on: since then `kafka-storage` gives directories an id (KIP-858). */
export function apacheKafka(version: string = kafkaVersion): ProcessEngine {
  return {
    nodeMemoryBytes: 450 * MiB,
    readyTimeoutMs: 180_000,

    async available() {
      const java = await javaAvailable()
      return java.available && !jarsAreComplete(version) ? await mavenAvailable() : java
    },

    async prepare(options) {
      await fetchJars(options, version)
      const nodeArguments = javaArguments(version, 'kafka.Kafka')
      const format = (node: NodeStorage) => formatWithTool(version, node, 'FaultlineTemplate00001', options)
      await makeArchive(version, { nodeArguments, format }, options)
    },

    async format(nodes, clusterId, options) {
      const empty = nodes.filter(node => !existsSync(join(node.dataDir, 'meta.properties')))
      const [first, ...others] = empty
      if (first === undefined) return
      options.progress(
        `Formatting the storage of ${empty.length} node${empty.length === 1 ? '' : 's'} (kafka-storage ${version})`,
      )
      await formatWithTool(version, first, clusterId, options)
      for (const other of others) {
        if (first.logDirs.length === 1 && other.logDirs.length === 1) copyFormat(first, other)
        else await formatWithTool(version, other, clusterId, options)
      }
    },

    properties: () => ({}),

    launch: (node, { isShortLived }) => ({
      command: javaCommand(),
      args: [
        ...words(process.env['KAFKA_HEAP_OPTS'] ?? '-Xmx512m -Xms512m'),
        ...words(process.env['KAFKA_JVM_PERFORMANCE_OPTS'] ?? (isShortLived ? quickOptions : performanceOptions)),
        ...archiveArguments(version),
        ...javaArguments(version, 'kafka.Kafka'),
        node.propertiesFile,
      ],
      environment: preloadEnvironment(node),
    }),

    inVersion: other => apacheKafka(parseEngine('release', `apache-kafka:${other}`).engineVersion),
    mark: jarsDirectory(version),
  }
}

/** The release that is meant where none is named. */
export const apacheKafkaEngine = apacheKafka()

function javaArguments(version: string, mainClass: string): string[] {
  const logging = usesLog4j1(version)
    ? `-Dlog4j.configuration=file:${join(installation.kafkaFiles, 'log4j.properties')}`
    : `-Dlog4j2.configurationFile=${join(installation.kafkaFiles, 'log4j2.yaml')}`
  return ['-Djava.awt.headless=true', logging, '-cp', `${jarsDirectory(version)}/*`, mainClass]
}

type NodeStorage = Pick<NodeFiles, 'propertiesFile' | 'dataDir'>

async function formatWithTool(
  version: string,
  node: NodeStorage,
  clusterId: string,
  { signal }: PrepareOptions,
): Promise<void> {
  const users = firstUsers(node.propertiesFile).flatMap(user => ['--add-scram', user])
  const args = ['format', '--cluster-id', clusterId, '--config', node.propertiesFile, ...users]
  const fast = ['-Xmx128m', ...words(quickOptions), ...archiveArguments(version)]
  const java = [javaCommand(), ...fast, ...javaArguments(version, 'kafka.tools.StorageTool'), ...args]
  const { ok, stdall } = await sh({ timeoutMs: 120_000, signal })`${java}`
  if (ok) return
  signal?.throwIfAborted()
  throw failure(`Apache Kafka ${version} refuses to format ${node.dataDir}:\n${stdall.trimEnd().slice(-1_500)}`)
}

/** SCRAM users that a new cluster has from the start: a setting of our nodes, an argument of kafka-storage. */
function firstUsers(propertiesFile: string): string[] {
  const properties = Object.fromEntries(parseProperties(readFileSync(propertiesFile, 'utf8')))
  return (properties['bootstrap.scram.credentials'] ?? '').split(';').filter(user => user !== '')
}

/**
 * What kafka-storage writes is the same for every node of a cluster but for two lines of meta.properties, so one JVM does for all. The
 * first records of the metadata log (`bootstrap.checkpoint`) hold cluster-wide facts only.
 */
function copyFormat(from: NodeFiles, to: NodeFiles): void {
  makeFolder(to.dataDir)
  copyFileSync(join(from.dataDir, 'bootstrap.checkpoint'), join(to.dataDir, 'bootstrap.checkpoint'))
  const properties = Object.fromEntries(parseProperties(readFileSync(join(from.dataDir, 'meta.properties'), 'utf8')))
  const own = { ...properties, 'node.id': String(to.id), 'directory.id': randomUuid() }
  writeFileSync(join(to.dataDir, 'meta.properties'), formatProperties(own))
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(word => word !== '')
}
