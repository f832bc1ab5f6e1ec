/** What is done in a container that is there: commands in one that runs, files also of one that does not. */
import { finished } from 'node:stream/promises'
import { posix } from 'node:path'
import { PassThrough } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { ContainerInspectInfo, HostConfig } from 'dockerode'
import { docker } from './docker.ts'
import { helperLabel, projectLabel } from './sweep.ts'
import { archiveOf, firstFile, type TarFile } from './tar.ts'

export interface Ran {
  /** Undefined: the container ended meanwhile. */
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command beside what the container runs, by default as the same user. */
export async function runInContainer(
  name: string,
  command: readonly string[],
  options: { readonly user?: string } = {},
): Promise<Ran> {
  const engine = await docker()
  const exec = await engine.getContainer(name).exec({
    Cmd: [...command],
    AttachStdout: true,
    AttachStderr: true,
    ...(options.user === undefined ? {} : { User: options.user }),
  })
  const stream = await exec.start({})
  const [out, err] = [new PassThrough(), new PassThrough()]
  engine.modem.demuxStream(stream, out, err)
  const both = Promise.all([text(out), text(err)])
  try {
    await finished(stream, { writable: false })
  } finally {
    out.end()
    err.end()
  }
  const [stdout, stderr] = await both
  const { ExitCode: exitCode } = await exec.inspect()
  return { exitCode: exitCode ?? undefined, stdout, stderr }
}

/** Begins a command that goes on by itself, until it ends or the container does. */
export async function beginInContainer(name: string, command: readonly string[]): Promise<void> {
  const exec = await (await docker()).getContainer(name).exec({ Cmd: [...command] })
  await exec.start({ Detach: true })
}

export interface Helper {
  readonly Image: string
  readonly Cmd: string[]
  readonly User: string
  /** Says whose it is, so that it is found when this command is cut off. */
  readonly Labels: Record<string, string>
  readonly HostConfig: HostConfig
}

/** Runs a command in a container of its own, which is gone afterwards. */
export async function runHelper(helper: Helper): Promise<{ readonly exitCode: number; readonly output: string }> {
  const engine = await docker()
  const container = await engine.createContainer({ ...helper, Entrypoint: [], Healthcheck: { Test: ['NONE'] } })
  try {
    await container.start()
    const { StatusCode: exitCode } = (await container.wait()) as { StatusCode: number }
    return { exitCode, output: withoutFrames(await container.logs({ stdout: true, stderr: true })) }
  } finally {
    await container.remove({ force: true, v: true })
  }
}

type HelperRan = { readonly exitCode: number; readonly output: string }

/** Runs a command on the volumes of a container that is there, as its user, in one without a network, by default of the same image. */
export async function runOnVolumes(name: string, command: readonly string[], image?: string): Promise<HelperRan> {
  return await runFor(name, { command, image }, ({ Config: { User }, HostConfig: { Binds, Mounts } }) => ({
    User,
    HostConfig: { Binds: Binds ?? [], NetworkMode: 'none', Mounts: Mounts ?? [] },
  }))
}

/** Runs a command as root of a container, by default of the same image, that shares the network of this one, and may change it. */
export async function runBeside(name: string, command: readonly string[], image?: string): Promise<HelperRan> {
  return await runFor(name, { command, image }, ({ Id }) => ({
    User: '0:0',
    HostConfig: { NetworkMode: `container:${Id}`, CapAdd: ['NET_ADMIN', 'NET_RAW'] },
  }))
}

/** In a container that is found as one of the same project. */
async function runFor(
  name: string,
  { command, image }: { readonly command: readonly string[]; readonly image: string | undefined },
  shapeFor: (found: ContainerInspectInfo) => Pick<Helper, 'User' | 'HostConfig'>,
): Promise<HelperRan> {
  const found = await (await docker()).getContainer(name).inspect()
  return await runHelper({
    Image: image ?? found.Config.Image,
    Cmd: [...command],
    Labels: { [helperLabel]: found.Config.Labels[projectLabel] ?? '' },
    ...shapeFor(found),
  })
}

/** Without a terminal, the engine puts 8 bytes before each piece of output: stream, 3 zeros, length. */
export function withoutFrames(raw: Buffer): string {
  const pieces: Buffer[] = []
  for (let at = 0; at + 8 <= raw.length;) {
    const length = raw.readUInt32BE(at + 4)
    pieces.push(raw.subarray(at + 8, at + 8 + length))
    at += 8 + length
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** Undefined when there is no such file. */
export async function readContainerFile(name: string, path: string): Promise<TarFile | undefined> {
  const container = (await docker()).getContainer(name)
  try {
    return firstFile(await buffer(await container.getArchive({ path })))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Whether there is such a file, however long it is. */
export async function hasContainerFile(name: string, path: string): Promise<boolean> {
  const container = (await docker()).getContainer(name)
  try {
    await container.infoArchive({ path })
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** In a volume of the container. */
export async function writeContainerFile(name: string, path: string, file: TarFile): Promise<void> {
  const container = (await docker()).getContainer(name)
  const { dir, base } = posix.parse(path)
  await container.putArchive(archiveOf(base, file), { path: dir })
}

/** Of a container, or of what is looked for in it. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'statusCode' in error && error.statusCode === 404
}
