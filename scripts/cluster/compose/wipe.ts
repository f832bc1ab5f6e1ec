/** The disk of a node that is a container is exchanged: a container of the same image empties its volumes, as the user that the node runs as. */
import { failure } from '../../errors.ts'
import type { ClusterSpec } from '../cluster.ts'
import { metadataDirectory, metadataFiles } from '../metadata-directory.ts'
import { runOnVolumes } from './container.ts'
import { containerFaultDir, dataDirIn } from './generator.ts'
import { forgetUnsyncedCommand } from './power.ts'

export interface DiskOfContainer {
  readonly spec: ClusterSpec
  readonly id: number
  readonly container: string
  /** Where its volumes are. */
  readonly volumes: readonly string[]
  /** Its faults go as well. */
  readonly withFaults: boolean
}

/** Only when the container has ended. */
export async function emptyDisk(disk: DiskOfContainer): Promise<void> {
  const { spec, id, container, withFaults } = disk
  const emptied = [dataDirIn(spec, id), ...(withFaults ? [containerFaultDir] : [])].join(' ')
  const script = `${forgetUnsyncedCommand} && find ${emptied} -mindepth 1 -delete && rm -rf -- "$@"`
  const { exitCode, output } = await runOnVolumes(container, ['sh', '-c', script, 'sh', ...filesOfMetadata(disk)])
  if (exitCode !== 0) throw failure(`Emptying the disk of node ${id} failed with exit code ${exitCode}: ${output}`)
}

/** Those in a directory apart from the data; refuses one that lies in no volume, where nobody can reach them while the node is down. */
function filesOfMetadata({ spec, id, volumes }: DiskOfContainer): readonly string[] {
  const directory = metadataDirectory(spec, id, { directories: [dataDirIn(spec, id)], from: '/' })
  if (directory === undefined) return []
  if (!volumes.some(volume => `${directory}/`.startsWith(`${volume}/`)))
    throw failure(
      `The disk of node ${id} cannot be emptied: its metadata.log.dir, ${directory}, lies in no volume.`,
      'Leave the setting away, or mount a volume there.',
    )
  return metadataFiles(directory)
}
