/** The Docker engine as the compose runtime uses it: dockerode for single containers, `docker compose` for whole projects. */
import { existsSync } from 'node:fs'
import type Docker from 'dockerode'
import { codeOf, failure, messageOf } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { sh } from '../../shell.ts'
import type { Availability, Progress } from '../cluster.ts'
import { brokerImage } from './generator.ts'

let engine: Docker | undefined

/** One connection pool to the engine (DOCKER_HOST and the current context's default socket, as dockerode finds it). */
export async function docker(): Promise<Docker> {
  const { default: Engine } = await import('dockerode')
  engine ??= new Engine()
  return engine
}

const remedy = 'Start Docker (Docker Desktop, or: systemctl start docker), or use --runtime process, which needs none.'

/** Whether an engine answers and Compose v2 is there. */
export async function dockerAvailable(): Promise<Availability> {
  try {
    await (await docker()).ping()
  } catch (error) {
    return { available: false, missing: `no Docker engine answers (${codeOf(error) ?? messageOf(error)})`, remedy }
  }
  if ((await sh()`docker compose version --short`).ok) return { available: true }
  return {
    available: false,
    missing: 'a Docker engine answers, but `docker compose` (version 2) is missing',
    remedy:
      'Install the Compose plugin: apt-get install docker-compose-plugin, or https://docs.docker.com/compose/install',
  }
}

/** What an image has that this toolkit builds, as a label of it says: raised when one that is older lacks something. */
const layoutLabel = 'faultline.layout'
const brokerLayout = 5

/** Builds the broker's image when it is not there, or was built by a toolkit that put less into it. */
export async function ensureImage(progress: Progress, signal: AbortSignal | undefined): Promise<void> {
  const layout = await layoutOf(brokerImage)
  if (layout !== undefined && layout >= brokerLayout) return
  const why = layout === undefined ? 'once' : 'the one that is there is older'
  progress(`Building the image ${brokerImage} (${why}; make images builds it again)`)
  await buildImage({ ...installation.image, signal })
}

/** Undefined when there is no such image; 1 when it does not say. */
export async function layoutOf(image: string): Promise<number | undefined> {
  const [found] = await (await docker()).listImages({ filters: { reference: [image] } })
  return found && Number(found.Labels?.[layoutLabel] ?? 1)
}

export interface ImageBuild {
  readonly name: string
  readonly context: string
  readonly dockerfile: string
  /** Of the Dockerfile. */
  readonly arguments?: Readonly<Record<string, string>>
  /** Other folders that it copies from, by the name it has for them. */
  readonly contexts?: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
}

export async function buildImage(build: ImageBuild): Promise<void> {
  const { name, context, dockerfile, signal } = build
  const certificates = process.env['NODE_EXTRA_CA_CERTS']
  const secret = certificates !== undefined && existsSync(certificates) ? ['--secret', `id=ca,src=${certificates}`] : []
  const options = [
    ...Object.entries(build.arguments ?? {}).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]),
    ...Object.entries(build.contexts ?? {}).flatMap(([key, folder]) => ['--build-context', `${key}=${folder}`]),
  ]
  await runDocker(['build', '-t', name, '-f', dockerfile, ...secret, ...options, '.'], { cwd: context, signal })
}

export interface DockerRun {
  readonly cwd: string
  readonly signal?: AbortSignal | undefined
  /** Told of the process that does it, which outlives this one when that is killed. */
  readonly began?: (pid: number) => Promise<void>
}

/** Runs the docker command; its last lines are the message when it fails. */
export async function runDocker(args: readonly string[], { cwd, signal, began }: DockerRun): Promise<void> {
  signal?.throwIfAborted()
  const running = sh({
    cwd,
    signal,
    isDetached: true,
    env: { DOCKER_BUILDKIT: '1', COMPOSE_PROGRESS: 'plain' },
  })`docker ${args}`
  if (began !== undefined && running.pid !== undefined) await began(running.pid)
  const { ok, stdall } = await running
  if (ok) return
  signal?.throwIfAborted()
  throw failure(`docker ${args.slice(0, 4).join(' ')} … failed:\n${stdall.trimEnd().slice(-2_000)}`)
}
