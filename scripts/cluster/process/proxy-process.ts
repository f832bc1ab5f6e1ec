/**
 * The fault proxy of a cluster of processes: a detached process like the nodes, with a folder of its own in the cluster's state.
 *
 *   proxy/topology.json   its links
 *   proxy/process.json    which process it is; gone while it is down on purpose
 *   proxy/control.json    where it takes orders, written by itself once it serves
 *   proxy/start.lock      which command starts it
 *   proxy/proxy.log
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { failure } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { ProxyClient } from '../../proxy/client.ts'
import { controlFileName, topologyFileName, type ControlFile } from '../../proxy/control-protocol.ts'
import type { FaultRequest, FaultState, LinkState, ProxyStatus } from '../../proxy/model.ts'
import type { Probe, ProbeOptions } from '../../proxy/probe.ts'
import { poll } from '../clock.ts'
import type { ClusterSpec } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { dropLinks, type GrowingLinks, type LinksStart } from '../growing-links.ts'
import { readJson, stateEntry, writeJson } from '../state.ts'
import { conditionOf, identify, signalProcess, waitFor, type ProcessHandle } from './liveness.ts'
import { proxyTopology } from './proxied-addresses.ts'

const processFileName = 'process.json'
const startTimeoutMs = 30_000
const endTimeoutMs = 10_000

/** Which process it is, written as soon as there is one. */
interface ProcessFile {
  readonly process: ProcessHandle
}

export class ProxyProcess implements GrowingLinks {
  /** As it is at the moment. */
  readonly #spec: () => ClusterSpec
  readonly #directory: string

  constructor(spec: () => ClusterSpec) {
    this.#spec = spec
    this.#directory = stateEntry(spec().name, 'proxy')
  }

  get log(): string {
    return join(this.#directory, 'proxy.log')
  }

  async status(): Promise<ProxyStatus> {
    const file = readJson(this.#path(processFileName)) as ProcessFile | undefined
    if (file === undefined) return { state: 'stopped', log: this.log }
    if ((await conditionOf(file.process)) === 'gone') return { state: 'dead', log: this.log }
    const port = this.#controlPort()
    const control = port === undefined ? {} : { control: `http://127.0.0.1:${port}` }
    return { state: 'running', pid: file.process.pid, log: this.log, ...control }
  }

  /** Resolves when every link listens. Does nothing when the proxy runs already. */
  async start({ faults = [], signal }: LinksStart = {}): Promise<void> {
    makeFolder(this.#directory)
    // Of two that are started at the same time, one would be named by no file, and stay.
    await inTurnOfFile(this.#path('start.lock'), async () => {
      if ((await this.status()).state === 'running') return
      await this.#spawn(signal)
      for (const fault of faults) await this.add(fault)
    })
  }

  async #spawn(signal: AbortSignal | undefined): Promise<void> {
    rmSync(this.#path(controlFileName), { force: true })
    writeJson(this.#path(topologyFileName), proxyTopology(this.#spec()))
    const log = openSync(this.log, 'a')
    try {
      const tied = this.#spec().tied === true
      const args = [installation.proxyMain, this.#directory, ...(tied ? ['--end-with-stdin'] : [])]
      const child = spawn(process.execPath, args, {
        cwd: this.#directory,
        detached: true,
        stdio: [tied ? 'pipe' : 'ignore', log, log],
      })
      ;(child.stdin as Socket | null)?.unref()
      let ended = false
      child.once('error', () => (ended = true))
      child.once('exit', () => (ended = true))
      child.unref()
      const handle = child.pid === undefined ? undefined : await identify(child.pid)
      if (handle !== undefined) writeJson(this.#path(processFileName), { process: handle } satisfies ProcessFile)
      const ready = () => (ended ? 'ended' : this.#controlPort() === undefined ? undefined : 'ready')
      if ((await poll(ready, { timeoutMs: startTimeoutMs, signal })) === 'ready') return
      if (!ended) child.kill('SIGKILL')
      throw failure(`The fault proxy did not start:\n${readFileSync(this.log, 'utf8').trimEnd().slice(-1_500)}`)
    } finally {
      closeSync(log)
    }
  }

  async complete(): Promise<void> {
    const topology = proxyTopology(this.#spec())
    await this.#control().addLinks(topology.links)
    writeJson(this.#path(topologyFileName), topology)
  }

  async drop(nodes: readonly number[]): Promise<void> {
    if ((await this.status()).state === 'running') await dropLinks(this.#control(), nodes)
  }

  /** Ends the process, if it is there, and with it every connection and every fault. */
  async end(): Promise<void> {
    const file = readJson(this.#path(processFileName)) as ProcessFile | undefined
    if (file === undefined) return
    if (await signalProcess(file.process, 'SIGKILL')) await waitFor(file.process, 'gone', endTimeoutMs)
    for (const name of [processFileName, controlFileName]) rmSync(this.#path(name), { force: true })
  }

  links(): Promise<readonly LinkState[]> {
    return this.#control().links()
  }

  faults(): Promise<readonly FaultState[]> {
    return this.#control().faults()
  }

  add(request: FaultRequest): Promise<FaultState> {
    return this.#control().add(request)
  }

  heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]> {
    return this.#control().heal(ids)
  }

  release(id: string): Promise<number> {
    return this.#control().release(id)
  }

  probe(link: string, options: ProbeOptions): Promise<Probe> {
    return this.#control().probe(link, options)
  }

  #control(): ProxyClient {
    const port = this.#controlPort()
    if (port !== undefined) return new ProxyClient(port)
    const { name } = this.#spec()
    throw failure(`The fault proxy of ${name} does not run.`, `./faultline status --name ${name} tells more.`)
  }

  #controlPort(): number | undefined {
    return (readJson(this.#path(controlFileName)) as ControlFile | undefined)?.controlPort
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }
}
