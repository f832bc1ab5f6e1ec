/** What to do about a volume that the user of the container cannot write to: the broker only knows that it cannot. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'

export interface VolumeProbes {
  /** Of this process. */
  readonly uid: number
  /** Of the directory; undefined when there is none, and the broker will make it. */
  readonly owner: (directory: string) => { readonly uid: number; readonly gid: number } | undefined
  readonly isWritable: (directory: string) => boolean
}

export const realVolumes: VolumeProbes = {
  uid: process.getuid?.() ?? 0,
  owner: directory => (existsSync(directory) ? statSync(directory) : undefined),
  isWritable(directory) {
    try {
      accessSync(directory, constants.W_OK)
      return true
    } catch {
      // Whatever the reason, the advice is the same.
      return false
    }
  },
}

/** A line for each directory that cannot be written. */
export function volumeAdvice(directories: readonly string[], { uid, owner, isWritable }: VolumeProbes): string[] {
  return directories.flatMap(directory => {
    const found = owner(directory)
    if (found === undefined || isWritable(directory)) return []
    return [
      `${directory} belongs to user ${found.uid} and group ${found.gid}, and this container runs as user ${uid}, who cannot write there. ` +
        `Give it to that user (chown -R ${uid}:0 on the host), or run the container as its owner (docker run --user ${found.uid}:0, user: in Compose, fsGroup in Kubernetes).`,
    ]
  })
}
