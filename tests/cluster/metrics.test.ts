/** The topology `metrics`: what the dashboard and the alert rules name is what nodes have, and a real Prometheus reads it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { brokerPort } from '#scripts/cluster/ports.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import type { ClusterDocument } from '#scripts/commands/describe.ts'
import { describeWith } from '../machine.ts'
import { freePort, Toolkit } from './faultline-command.ts'
import { alertExpressions, dashboardExpressions, exposedNames, metricNames } from './promql.ts'

const toolkit = new Toolkit()
let cluster: ClusterDocument
beforeAll(async () => {
  cluster = await toolkit.document('up', '--topology', 'metrics', '--runtime', 'process', '--port', await freePort())
  await toolkit.run('topic', 'create', 'letters')
  await toolkit.run('produce', 'letters', '--count', '50')
})
afterAll(() => toolkit.remove())

describe('the metrics of a cluster', () => {
  test('have every name that the dashboard and the alert rules ask for', async () => {
    const texts = await Promise.all(
      cluster.brokers.map(async ({ inspector }) => await (await fetch(`${inspector}/metrics`)).text()),
    )
    const exposed = exposedNames(texts.join('\n'))
    const asked = [...dashboardExpressions(), ...alertExpressions()].flatMap(({ expr }) => metricNames(expr))
    expect(asked.length).toBeGreaterThan(30)
    // `up` is Prometheus's own.
    expect([...new Set(asked)].filter(name => !exposed.has(name))).toEqual(['up'])
  })
})

describeWith(['prometheus'], 'a Prometheus with the configuration that up wrote', () => {
  let prometheus: ChildProcess
  let output = ''
  let address: string
  const ask = async <T>(where: string, query: Readonly<Record<string, string>> = {}): Promise<T> => {
    const response = await fetch(`${address}/api/v1/${where}?${new URLSearchParams(query).toString()}`)
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string }
    if (status !== 'success') throw new Error(`${where} ${JSON.stringify(query)}: ${error}`)
    return data
  }
  /** How often it is asked until it says what is waited for. */
  const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
    // It does not answer at first.
    const found = await poll(async () => await look().catch(() => undefined), { everyMs: 250, timeoutMs: 120_000 })
    if (found === undefined) throw new Error(`not within two minutes: ${what}\n${output}`)
    return found
  }

  beforeAll(async () => {
    const written = readFileSync(cluster.metrics?.prometheus ?? '', 'utf8')
    const file = path.join(toolkit.folder, 'prometheus.yml')
    // As it is, but in less time.
    writeFileSync(file, written.replaceAll(/_interval: \S+/g, '_interval: 1s'))
    // The cluster's own span of ports has room behind its brokers.
    const spec = clusterSpec({ runtime: 'process', port: cluster.brokers[0]?.port ?? 0 })
    address = `http://127.0.0.1:${brokerPort(spec, 50)}`
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${path.join(toolkit.folder, 'tsdb')}`,
        `--web.listen-address=${address.slice('http://'.length)}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    prometheus.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text))
    await until('every node is scraped', async () => {
      const { activeTargets } = await ask<{ activeTargets: { health: string }[] }>('targets')
      return activeTargets.length === 3 && activeTargets.every(({ health }) => health === 'up') ? true : undefined
    })
  })
  afterAll(async () => {
    if (prometheus.exitCode !== null || prometheus.signalCode !== null) return
    const gone = once(prometheus, 'exit')
    prometheus.kill('SIGKILL')
    await gone
  })

  /** Nothing was damaged and no request failed: these have no sample. */
  const empty = ['Damaged batches', 'Unforeseen errors']

  test.each(dashboardExpressions())('has an answer for the panel “$panel”: $expr', async ({ panel, expr }) => {
    const answered = await until('samples', async () => {
      const { result } = await ask<{ result: unknown[] }>('query', { query: expr })
      return result.length > 0 || empty.includes(panel) ? result : undefined
    })
    expect(answered.length > 0).toBe(!empty.includes(panel))
  })

  test('knows how many brokers are healthy, and who leads how much', async () => {
    const value = async (query: string): Promise<number> => {
      const { result } = await ask<{ result: { value: [number, string] }[] }>('query', { query })
      return Number(result[0]?.value[1])
    }
    // A scrape that took too long leaves a gap.
    for (const [query, expected] of [
      ['sum(faultline_healthy)', 3],
      ['sum(kafka_controller_kafkacontroller_activecontrollercount)', 1],
      ['sum(max by (partition) (kafka_log_log_logendoffset{topic="letters"}))', 50],
    ] as const)
      expect(await until(query, async () => ((await value(query)) === expected ? expected : undefined))).toBe(expected)
  })

  test('judges the alert rules, and none is on', async () => {
    interface Rule {
      readonly name: string
      readonly health: string
      readonly lastError?: string
      readonly state: string
    }
    const rules = await until('every rule was judged', async () => {
      const { groups } = await ask<{ groups: { rules: Rule[] }[] }>('rules')
      const all = groups.flatMap(group => group.rules)
      return all.length > 0 && all.every(({ health }) => health !== 'unknown') ? all : undefined
    })
    expect(rules.map(({ name }) => name)).toEqual(alertExpressions().map(({ alert }) => alert))
    for (const { name, health, lastError } of rules) expect({ name, health, lastError }).toEqual({ name, health: 'ok' })
  })

  test('begins to worry when a broker dies', async () => {
    await toolkit.run('kill', '2')
    const alerts = await until('an alert', async () => {
      const found = await ask<{ alerts: { labels: Record<string, string> }[] }>('alerts')
      const names = found.alerts.map(({ labels }) => labels['alertname'])
      return names.includes('FaultlineNodeDown') && names.includes('FaultlineUnderReplicated') ? names : undefined
    })
    expect(alerts).not.toContain('FaultlineNoActiveController')
  })
})
