/**
 * Nodes in containers as another version of their engine: of another image. Which one is in a Compose file beside that of the cluster, which Compose reads
 * after it; a node that is not in it has the cluster's. The container is made anew at the next start, on the volumes that it has.
 */
import { rmSync } from 'node:fs'
import { failure, usageError } from '../../errors.ts'
import type { ClusterSpec, NodeVersions, UpOptions } from '../cluster.ts'
import { nodeIds } from '../cluster.ts'
import { parseEngine } from '../engine-name.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { readNodeVersion, removeNodeVersion, writeNodeVersion } from '../node-version.ts'
import { readJson, stateEntry, writeJson } from '../state.ts'
import { docker } from './docker.ts'
import { serviceName } from './container-addresses.ts'
import { ensureKafkaImage } from './kafka-image.ts'
import { idOf, isThere } from './public-image.ts'

/** What is asked of the containers of a cluster. */
export interface NodeContainers {
  /** Which image it was made of, and by which name, which may mean another one now; undefined: there is no container. */
  inspect(id: number): Promise<{ readonly Image: string; readonly Config: { readonly Image: string } } | undefined>
  log(id: number): Promise<string>
}

interface Images {
  readonly services: Readonly<Record<string, { readonly image: string }>>
}

/** The name that Compose looks for by itself; JSON is YAML, too. */
export function imagesFile(cluster: string): string {
  return stateEntry(cluster, 'compose.override.yaml')
}

export class ComposeVersions implements NodeVersions {
  readonly #spec: ClusterSpec
  readonly #containers: NodeContainers
  readonly #imageOf: (version: string, options?: UpOptions) => Promise<string>
  readonly #idOf: (image: string) => Promise<string | undefined>

  /**
   * @param find brings the image of a version, or refuses one that is not there
   * @param idOfImage which one a name means now
   */
  constructor(
    spec: ClusterSpec,
    containers: NodeContainers,
    find = (version: string, options: UpOptions) => findImage(spec, version, options),
    idOfImage = async (image: string) => await idOf(await docker(), image),
  ) {
    this.#spec = spec
    this.#containers = containers
    this.#idOf = idOfImage
    this.#imageOf = (version, options = {}) => find(version, options)
  }

  async prepare(version: string, options: UpOptions = {}): Promise<void> {
    await this.#imageOf(version, options)
  }

  async set(id: number, version: string | undefined): Promise<void> {
    const { name } = this.#spec
    const image = version === undefined ? undefined : await this.#imageOf(version)
    const file = imagesFile(name)
    await inTurnOfFile(`${file}.lock`, () => {
      const services = { ...(readJson(file) as Images | undefined)?.services }
      const service = serviceName(this.#spec, id)
      if (image === undefined) delete services[service]
      else services[service] = { image }
      writeJson(file, { services } satisfies Images)
      if (version === undefined) removeNodeVersion(name, id)
      else writeNodeVersion(name, id, version)
      return Promise.resolve()
    })
  }

  /** Whether a node is to have another image at its next start than its container: one of another name, or what the name of its own means since. */
  async isOther(id: number, wanted: string | undefined): Promise<boolean> {
    const found = await this.#containers.inspect(id)
    if (found?.Config.Image !== wanted) return true
    // The image of the cluster may be built again at any time; one of a single node was asked for.
    if (found === undefined || wanted === undefined || readNodeVersion(this.#spec.name, id) === undefined) return false
    return ((await this.#idOf(wanted)) ?? found.Image) !== found.Image
  }

  /** By the image of its container, and what Apache Kafka says of itself at its start. */
  async prove(id: number, version: string): Promise<string | undefined> {
    const image = await this.#imageOf(version)
    const found = await this.#containers.inspect(id)
    if (found?.Config.Image !== image)
      throw failure(`Node ${id} was to run ${image}, but runs ${found?.Config.Image ?? 'nothing'}.`)
    const now = await this.#idOf(image)
    if (now !== undefined && now !== found.Image)
      throw failure(
        `Node ${id} was to run ${image}, which is ${now}, but runs ${found.Image}, which had that name before.`,
      )
    if (this.#spec.engine !== 'apache-kafka') return `the image ${image}`
    const said = /Kafka version: (\S+)/.exec(await this.#containers.log(id))?.[1]
    if (said === version) return `the image ${image}, and says that it is ${said}`
    throw failure(`Node ${id} was to run ${version}, but says that it is ${said ?? 'of no version'}.`)
  }

  /** For a cluster that is started on the data it has: what the nodes were, they are again. */
  async renew(options: UpOptions): Promise<void> {
    for (const id of nodeIds(this.#spec)) {
      const version = readNodeVersion(this.#spec.name, id)
      if (version === undefined) continue
      await this.#imageOf(version, options)
      await this.set(id, version)
    }
  }

  /** From the next start on every node is as the cluster. */
  forget(): void {
    for (const id of nodeIds(this.#spec)) removeNodeVersion(this.#spec.name, id)
    rmSync(imagesFile(this.#spec.name), { force: true })
  }
}

/** @returns the name of an image that is there: of a release, or the one that is named */
async function findImage(
  { engine, faults = false }: ClusterSpec,
  version: string,
  { progress = () => {}, signal }: UpOptions,
): Promise<string> {
  if (engine === 'apache-kafka') {
    const { engineVersion = version } = parseEngine('release', `apache-kafka:${version}`)
    return await ensureKafkaImage({ engineVersion, faults }, progress, signal)
  }
  if (await isThere(await docker(), version)) return version
  throw usageError(
    `There is no image ${version}.`,
    'docker images lists what is there; make images builds the one of this checkout, docker tag gives one another name.',
  )
}
