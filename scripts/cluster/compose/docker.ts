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

/** Builds the broker's image when it is not there. */
export async function ensureImage(progress: Progress, signal: AbortSignal | undefined): Promise<void> {
  const images = await (await docker()).listImages({ filters: { reference: [brokerImage] } })
  if (images.length > 0) return
  progress(`Building the image ${brokerImage} (once; make images builds it again)`)
  const certificates = process.env['NODE_EXTRA_CA_CERTS']
  const secret = certificates !== undefined && existsSync(certificates) ? ['--secret', `id=ca,src=${certificates}`] : []
  const { context, dockerfile } = installation.image
  await runDocker(['build', '-t', brokerImage, '-f', dockerfile, ...secret, '.'], {
    cwd: context,
    signal,
  })
}

export interface DockerRun {
  readonly cwd: string
  readonly signal?: AbortSignal | undefined
}

/** Runs the docker command; its last lines are the message when it fails. */
export async function runDocker(args: readonly string[], { cwd, signal }: DockerRun): Promise<void> {
  const { ok, stdall } = await sh({
    cwd,
    signal,
    env: { DOCKER_BUILDKIT: '1', COMPOSE_PROGRESS: 'plain' },
  })`docker ${args}`
  if (ok) return
  signal?.throwIfAborted()
  throw failure(`docker ${args.slice(0, 4).join(' ')} … failed:\n${stdall.trimEnd().slice(-2_000)}`)
}
