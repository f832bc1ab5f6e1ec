/**
 * `.kafka_cleanshutdown`: left by a node that flushed and closed every log, removed before it loads them again. Its
 * broker epoch lets the controller tell a clean restart from a crash (KIP-966).
 */
import type { Disk } from '../environment/environment.ts'
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
): { readonly clean: boolean; readonly brokerEpoch: number } {
  const path = `${directory}/${cleanShutdownFile}`
  const content = readFile(disk, path)
  if (content === undefined) return { clean: false, brokerEpoch: -1 }
  disk.remove(path)
  disk.syncDirectory(directory)
  return { clean: true, brokerEpoch: brokerEpochIn(content.toString('utf8')) }
}

/** Older versions left the file empty. */
function brokerEpochIn(text: string): number {
  const match = /"brokerEpoch"\s*:\s*(-?\d+)/.exec(text)
  return match === null ? -1 : Number(match[1])
}
