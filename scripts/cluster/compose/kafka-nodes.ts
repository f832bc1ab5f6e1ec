/**
 * The way to a node of Apache Kafka in a container, for faults inside it: its orders are in a volume, the probe runs in its container. Its network card is
 * broken by packet filters, set from a short-lived container beside it; its memory is taken by a process in its container.
 */
import { posix } from 'node:path'
import type { KafkaNode } from '../apache-kafka/node-faults.ts'
import { readContainerFile, runInContainer, writeContainerFile } from './container.ts'
import { containerFaultDir } from './generator.ts'
import { holdMemory, releaseMemory } from './memory-holder.ts'
import { filterPackets, passPackets } from './packet-filter.ts'

/** The user of both images. */
const owner = { uid: 1000, gid: 0, mode: 0o644 }

/** A node as the engine sees it now. */
export interface NodeContainer {
  readonly name: string
  readonly isRunning: boolean
  readonly isPaused: boolean
  /** Of this run of it. */
  readonly startedAt: string
}

export function kafkaNodeIn({ name, ...state }: NodeContainer): KafkaNode {
  return {
    ...state,
    logCommand: `docker logs ${name}`,
    async read(file) {
      return (await readContainerFile(name, posix.join(containerFaultDir, file)))?.content
    },
    async write(file, content) {
      await writeContainerFile(name, posix.join(containerFaultDir, file), { ...owner, content })
    },
    probe: async (folder, words) =>
      await runInContainer(name, ['/opt/faultline/probe', posix.join(containerFaultDir, folder), ...words]),
    beside: {
      'dropped-links': {
        async begin({ parameters }) {
          await filterPackets(name, parameters)
          return undefined
        },
        end: async ({ parameters }) => await passPackets(name, parameters),
      },
      'memory-pressure': {
        begin: async ({ slot, parameters }) => await holdMemory(name, slot, Number(parameters['size'])),
        end: async ({ slot }) => await releaseMemory(name, slot),
      },
    },
  }
}
