/** Engine, versions, seed, settings, machine, and the command that runs the lab again. */
import { engineText } from '../cluster/engine-name.ts'
import type { LabResult } from '../labs/result.ts'
import { duration, escape } from './text.ts'

const engineNames = { faultline: 'Faultline', 'apache-kafka': 'Apache Kafka', redpanda: 'Redpanda' } as const

export function whereItRan({ engine, engineVersion, runtime, seed, durationMs }: LabResult): string {
  const name = [engineNames[engine], engineVersion].filter(text => text !== undefined).join(' ')
  return `${name} · runtime ${runtime} · seed ${seed} · ${duration(durationMs)}`
}

export function environmentSection(result: LabResult): string {
  const { environment } = result
  const engine =
    result.engineVersion === undefined ? result.engine : engineText({ ...result, engineVersion: result.engineVersion })
  const facts: [string, string][] = [
    ['engine', engine],
    ['runtime', result.runtime],
    ['seed', String(result.seed)],
    ['started', result.startedAt],
  ]
  if (environment) {
    const judged = environment.judgedAgain ? ' (of the judgement)' : ''
    const { topology, version, node, system, processors, memoryGiB, scale, security } = environment
    facts.push(
      ['scale', scale],
      ['security', security],
      [
        'cluster',
        `${topology.brokers} brokers, ${topology.controllers === 0 ? 'which are controllers as well' : `${topology.controllers} controllers`}`,
      ],
      [`Faultline${judged}`, version],
      [`Node.js${judged}`, node],
      [`machine${judged}`, `${system}; ${processors}; ${memoryGiB} GiB`],
    )
  }
  const list = facts.map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`).join('')
  return `<section class="card" aria-labelledby="environment"><h2 id="environment">Environment, and how to run it again</h2>
${environment ? `<pre tabindex="0" aria-label="Command that runs this lab again"><code>${escape(environment.command)}</code></pre>` : ''}
<dl class="facts">${list}</dl>
${environment ? settingsTables(environment) : ''}</section>`
}

function settingsTables({ settings, workloads }: NonNullable<LabResult['environment']>): string {
  const rows = (entries: readonly (readonly [string, unknown])[]) =>
    entries
      .map(
        ([name, value]) =>
          `<tr><th scope="row">${escape(name)}</th><td>${escape(typeof value === 'string' ? value : JSON.stringify(value))}</td></tr>`,
      )
      .join('')
  const perVariant = Object.entries(workloads)
    .map(([name, workload]) => {
      const entries = Object.entries(workload)
      return entries.length === 0 ? '' : `<h3>Workload of ${escape(name)}</h3><table>${rows(entries)}</table>`
    })
    .join('')
  const nodes = Object.entries(settings)
  return `<details><summary>Settings</summary>${nodes.length === 0 ? '' : `<h3>Of every node</h3><table>${rows(nodes)}</table>`}${perVariant}</details>`
}
