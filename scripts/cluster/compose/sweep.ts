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
  /** Only what belongs to these; left out: all of the project. */
  readonly services?: readonly string[]
}

/** Resolves when nothing is there any more; what cannot be removed is left for the caller's next look. */
export async function sweepProject(project: string, options: SweepOptions): Promise<void> {
  const { isCutOff } = options
  let quiet = 0
  const gone = await poll(
    async () => {
      quiet = (await sweepOnce(project, options)) === 0 ? quiet + 1 : 0
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
async function sweepOnce(project: string, { keepVolumes, services }: SweepOptions): Promise<number> {
  const engine = await docker()
  const labelled = (label: string) => ({ filters: { label: [`${label}=${project}`] } })
  const isMeant = (labels: Readonly<Record<string, string>> | null) => isOf(services, labels)
  const containers = [
    ...(await engine.listContainers({ all: true, ...labelled(projectLabel) })),
    ...(await engine.listContainers({ all: true, ...labelled(helperLabel) })),
  ].filter(({ Labels: labels }) => isMeant(labels))
  for (const { Id: id } of containers) await unlessGone(() => engine.getContainer(id).remove({ force: true, v: true }))
  const found = keepVolumes ? [] : (await engine.listVolumes(labelled(projectLabel))).Volumes
  const volumes = found.filter(({ Labels: labels }) => isMeant(labels))
  for (const { Name: name } of volumes) await unlessGone(() => engine.getVolume(name).remove())
  const networks = services === undefined ? await engine.listNetworks(labelled(projectLabel)) : []
  for (const { Id: id } of networks) await unlessGone(() => engine.getNetwork(id).remove())
  return containers.length + volumes.length + networks.length
}

/** By what Compose writes on them: a container says its service, a volume is named like it, or like it with what is broken in it. */
export function isOf(
  services: readonly string[] | undefined,
  labels: Readonly<Record<string, string>> | null,
): boolean {
  if (services === undefined) return true
  const volume = labels?.['com.docker.compose.volume']
  return services.some(
    service =>
      labels?.['com.docker.compose.service'] === service || volume === service || volume === `${service}-faults`,
  )
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
