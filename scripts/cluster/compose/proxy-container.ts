/** The fault proxy of a cluster of containers: one more of them, in the network of the nodes, with the client ports of all brokers. */
import { join } from 'node:path'
import type { ContainerInspectInfo } from 'dockerode'
import { failure } from '../../errors.ts'
import { proxyControlPort } from '../../container/proxy-variables.ts'
import { ProxyClient } from '../../proxy/client.ts'
import type { FaultRequest, FaultState, LinkState, ProxyStatus } from '../../proxy/model.ts'
import type { Probe, ProbeOptions } from '../../proxy/probe.ts'
import { poll } from '../clock.ts'
import type { ClusterSpec } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { dropLinks, type GrowingLinks, type LinksStart } from '../growing-links.ts'
import { HOST } from '../ports.ts'
import { proxyTopology } from '../process/proxied-addresses.ts'
import { stateDirectory } from '../state.ts'
import { containerPlaces } from './container-addresses.ts'
import { docker } from './docker.ts'

const startTimeoutMs = 30_000

/** What its project does for it. */
export interface ProxyProject {
  /** Undefined when the container is not there. */
  inspect(): Promise<ContainerInspectInfo | undefined>
  /** One that is not there: it runs then. */
  make(): Promise<void>
}

export class ProxyContainer implements GrowingLinks {
  readonly isRemote = true
  /** As it is at the moment. */
  readonly #spec: () => ClusterSpec
  readonly #container: string
  readonly #project: ProxyProject

  constructor(spec: () => ClusterSpec, container: string, project: ProxyProject) {
    this.#spec = spec
    this.#container = container
    this.#project = project
  }

  async status(): Promise<ProxyStatus> {
    const log = `docker logs ${this.#container}`
    const found = await this.#project.inspect()
    if (found === undefined) return { state: 'stopped', log }
    const container = this.#container
    // The toolkit never stops it alone.
    if (!found.State.Running) return { state: 'dead', container, log }
    const port = controlPortOf(found)
    return { state: 'running', container, log, ...(port === undefined ? {} : { control: `http://${HOST}:${port}` }) }
  }

  /** Resolves when it answers. Does nothing when it runs already. */
  async start({ faults = [], signal }: LinksStart = {}): Promise<void> {
    await inTurnOfFile(join(stateDirectory(this.#spec().name), 'proxy.lock'), async () => {
      const { state } = await this.status()
      if (state === 'running') return
      if (state === 'stopped') await this.#project.make()
      else await (await docker()).getContainer(this.#container).start()
      await this.waitReady(signal)
      // It was made with the links of that time.
      await this.complete()
      for (const fault of faults) await this.add(fault)
    })
  }

  async complete(): Promise<void> {
    const spec = this.#spec()
    await (await this.#control()).addLinks(proxyTopology(spec, containerPlaces(spec)).links)
  }

  async drop(nodes: readonly number[]): Promise<void> {
    if ((await this.status()).state === 'running') await dropLinks(await this.#control(), nodes)
  }

  /** With the faults of links that the cluster is made with; resolves when it answers. */
  async waitReady(signal?: AbortSignal): Promise<void> {
    let trouble = 'it does not run'
    const ready = await poll(
      async () => {
        const { state } = await this.status()
        if (state === 'dead') return 'dead'
        const port = await this.#port()
        if (port === undefined) return undefined
        try {
          await new ProxyClient(port).links()
          return 'ready'
        } catch (error) {
          // It has just been started, and does not listen yet.
          trouble = String(error)
          return undefined
        }
      },
      { everyMs: 50, timeoutMs: startTimeoutMs, signal },
    )
    if (ready === 'ready') return
    throw failure(
      `The fault proxy of ${this.#spec().name} did not start: ${ready === 'dead' ? 'its container has ended' : trouble}.`,
      `docker logs ${this.#container} tells more.`,
    )
  }

  async links(): Promise<readonly LinkState[]> {
    return await (await this.#control()).links()
  }

  async faults(): Promise<readonly FaultState[]> {
    return await (await this.#control()).faults()
  }

  async add(request: FaultRequest): Promise<FaultState> {
    return await (await this.#control()).add(request)
  }

  async heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]> {
    return await (await this.#control()).heal(ids)
  }

  async release(id: string): Promise<number> {
    return await (await this.#control()).release(id)
  }

  async probe(link: string, options: ProbeOptions): Promise<Probe> {
    return await (await this.#control()).probe(link, options)
  }

  async #control(): Promise<ProxyClient> {
    const port = await this.#port()
    if (port !== undefined) return new ProxyClient(port)
    const { name } = this.#spec()
    throw failure(`The fault proxy of ${name} does not run.`, `./faultline status --name ${name} tells more.`)
  }

  /** Published on a port that the engine picks anew at every start. */
  async #port(): Promise<number | undefined> {
    const found = await this.#project.inspect()
    return found && controlPortOf(found)
  }
}

function controlPortOf({ NetworkSettings: { Ports: ports } }: ContainerInspectInfo): number | undefined {
  const text = ports[`${proxyControlPort}/tcp`]?.[0]?.HostPort
  return text === undefined ? undefined : Number(text)
}
