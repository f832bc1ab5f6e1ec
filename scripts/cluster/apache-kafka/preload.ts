/** How a JVM is started with the library in front of it that breaks it from inside (images/apache-kafka/faults.c). */
import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseProperties } from '#broker/config/properties.ts'
import type { NodeFiles } from '../process/engine.ts'

/** As files of the folder that the library is made in. */
export const libraryName = 'libfaults.so'
export const probeName = 'probe'

/** Of a node: leads to the folder that the library is made in. @param directory of its orders */
export function libraryFolder(directory: string): string {
  return join(directory, 'library')
}

export function libraryFile(directory: string): string {
  return join(libraryFolder(directory), libraryName)
}

/** Nothing without a folder of orders. */
export function preloadEnvironment({ faultDirectory, propertiesFile, logDirs }: NodeFiles): Record<string, string> {
  if (faultDirectory === undefined) return {}
  // Blanks and colons separate libraries, and may be in any path: this one is seen from the folder in which the node starts.
  const library = `./${relative(dirname(propertiesFile), libraryFile(faultDirectory))}`
  const others = process.env['LD_PRELOAD'] ?? ''
  return {
    LD_PRELOAD: others === '' ? library : `${library}:${others}`,
    FAULTLINE_FAULTS: faultDirectory,
    FAULTLINE_DATA: [...new Set([...logDirs, ...metadataDirs(propertiesFile)])].join(','),
  }
}

/** Where the metadata log is when somebody has said so. */
function metadataDirs(propertiesFile: string): readonly string[] {
  const directory = parseProperties(readFileSync(propertiesFile, 'utf8')).get('metadata.log.dir')
  return directory === undefined || directory === '' ? [] : [resolve(dirname(propertiesFile), directory)]
}
