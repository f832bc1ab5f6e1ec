/**
 * `.kafka_cleanshutdown`: left by a node that flushed and closed every log, removed before it loads them again. Its
 * broker epoch lets the controller tell a clean restart from a crash (KIP-966).
 */
import type { Disk, Logger } from '../environment/environment.ts'
import { readFile, replaceFile } from './small-files.ts'

export const cleanShutdownFile = '.kafka_cleanshutdown'

/** Call it when everything else is durable. */
export function writeCleanShutdown(disk: Disk, directory: string, brokerEpoch: number): void {
  replaceFile(disk, `${directory}/${cleanShutdownFile}`, JSON.stringify({ version: 0, brokerEpoch }), { durable: true })
}

/**
 * Whether the node stopped cleanly, and its broker epoch then (-1: not known). The marker is gone, durably, when this
 * returns.
 */
export function takeCleanShutdown(
  disk: Disk,
  directory: string,
  log: Logger,
): { readonly clean: boolean; readonly brokerEpoch: number } {
  const path = `${directory}/${cleanShutdownFile}`
  const content = readFile(disk, path)
  if (content === undefined) return { clean: false, brokerEpoch: -1 }
  disk.remove(path)
  disk.syncDirectory(directory)
  const text = content.toString('utf8')
  // Older versions left it empty.
  if (text === '') return { clean: true, brokerEpoch: -1 }
  const brokerEpoch = brokerEpochIn(text)
  if (brokerEpoch !== undefined) return { clean: true, brokerEpoch }
  log.warn('The mark of a clean stop is damaged and does not count: logs are recovered as after a crash.', {
    path,
    problem: `expected JSON with version 0 and brokerEpoch, got ${JSON.stringify(text.slice(0, 100))}`,
  })
  return { clean: false, brokerEpoch: -1 }
}

function brokerEpochIn(text: string): number | undefined {
  const match = /^\s*\{.*"brokerEpoch"\s*:\s*(-?\d+).*\}\s*$/s.exec(text)
  return match === null ? undefined : Number(match[1])
}
