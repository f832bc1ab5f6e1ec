/**
 * What is left in the Docker engine of a project, and its end. `docker compose down` takes away what is there when it looks; what a command that was cut
 * off had just asked for may come later.
 */
import { failure } from '../../errors.ts'
import { poll } from '../clock.ts'
import { docker } from './docker.ts'

/** Compose gives it to all that it makes. */
export const projectLabel = 'com.docker.compose.project'
/** Of containers that the toolkit runs for a moment beside those of a project. */
export const helperLabel = 'faultline.project'

const settleMs = 20_000
/** How long after a look the next one is, which must find nothing either. */
const lookEveryMs = 300

export interface SweepOptions {
  readonly keepVolumes: boolean
  /** A command was cut off in the middle: two looks in a row must find nothing. */
  readonly isCutOff: boolean
}

/** Resolves when nothing is there any more; what cannot be removed is left for the caller's next look. */
export async function sweepProject(project: string, { keepVolumes, isCutOff }: SweepOptions): Promise<void> {
  let quiet = 0
  const gone = await poll(
    async () => {
      quiet = (await sweepOnce(project, keepVolumes)) === 0 ? quiet + 1 : 0
      return quiet > (isCutOff ? 1 : 0) ? true : undefined
    },
    { everyMs: lookEveryMs, timeoutMs: settleMs },
  )
  if (gone === true) return
  throw failure(
    `Docker still has parts of ${project} after ${settleMs / 1_000} s.`,
    `docker ps -a --filter label=${projectLabel}=${project} names them.`,
  )
}

/** @returns how many things were there */
async function sweepOnce(project: string, keepVolumes: boolean): Promise<number> {
  const engine = await docker()
  const labelled = (label: string) => ({ filters: { label: [`${label}=${project}`] } })
  const containers = [
    ...(await engine.listContainers({ all: true, ...labelled(projectLabel) })),
    ...(await engine.listContainers({ all: true, ...labelled(helperLabel) })),
  ]
  for (const { Id: id } of containers) await unlessGone(() => engine.getContainer(id).remove({ force: true, v: true }))
  const volumes = keepVolumes ? [] : (await engine.listVolumes(labelled(projectLabel))).Volumes
  for (const { Name: name } of volumes) await unlessGone(() => engine.getVolume(name).remove())
  const networks = await engine.listNetworks(labelled(projectLabel))
  for (const { Id: id } of networks) await unlessGone(() => engine.getNetwork(id).remove())
  return containers.length + volumes.length + networks.length
}

/** Somebody else may be removing it, or something still use it for a moment: the next look tells. */
async function unlessGone(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove()
  } catch (error) {
    const code = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
    if (code !== 404 && code !== 409 && code !== 403) throw error
  }
}
