/** Images that somebody else builds and a registry has. */
import type Docker from 'dockerode'
import { lacking, messageOf } from '../../errors.ts'
import type { Progress } from '../cluster.ts'

/** What is asked of the Docker engine. */
export interface ImageSource {
  getImage(name: string): Pick<Docker.Image, 'inspect'>
  pull(name: string): Promise<NodeJS.ReadableStream>
  readonly modem: { followProgress(stream: NodeJS.ReadableStream, done: (error: Error | null) => void): void }
}

/** Pulls an image that is not there. What the engine says when it cannot is the reason. */
export async function ensurePublicImage(source: ImageSource, image: string, progress: Progress): Promise<void> {
  if (await isThere(source, image)) return
  progress(`Pulling the image ${image} (once)`)
  try {
    const stream = await source.pull(image)
    await new Promise<void>((resolve, reject) => {
      source.modem.followProgress(stream, error => (error === null ? resolve() : reject(error)))
    })
  } catch (error) {
    throw lacking(
      `The image ${image} cannot be pulled: ${messageOf(error)}.`,
      `Is its registry in reach of the Docker engine? docker pull ${image} tries it by hand; docker load brings it from elsewhere.`,
      error,
    )
  }
}

export async function isThere(source: Pick<ImageSource, 'getImage'>, image: string): Promise<boolean> {
  return (await idOf(source, image)) !== undefined
}

/** Which image a name means now; undefined: none. */
export async function idOf(source: Pick<ImageSource, 'getImage'>, image: string): Promise<string | undefined> {
  try {
    return (await source.getImage(image).inspect()).Id
  } catch (error) {
    if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined
    throw error
  }
}
