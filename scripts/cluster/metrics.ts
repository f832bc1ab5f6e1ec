/**
 * What a Prometheus needs to read the `/metrics` of a cluster: for one whose topology says `"metrics": true`, `up` writes it beside its state. Alert
 * rules and a dashboard for Grafana are in `topologies/metrics/`.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { installation } from '../installation/here.ts'
import { nodeIds, type ClusterSpec } from './cluster.ts'
import { engineOf } from './engine-name.ts'
import { HOST, inspectorPort } from './ports.ts'
import { stateDirectory, stateEntry } from './state.ts'

const folder = join(installation.topologies, 'metrics')
export const alertRules = join(folder, 'alerts.yml')
export const dashboardFile = join(folder, 'dashboard.json')

export interface PrometheusOptions {
  /** Comment lines at the top. */
  readonly title: readonly string[]
  /** `host:port` of each node. */
  readonly targets: readonly string[]
  /** Path of the alert rules, as Prometheus sees it. */
  readonly rules: string
}

/** The text of a prometheus.yml. */
export function prometheusConfig({ title, targets, rules }: PrometheusOptions): string {
  return `${title.map(line => `# ${line}`).join('\n')}

global:
  scrape_interval: 5s
  evaluation_interval: 5s

rule_files:
  - ${JSON.stringify(rules)}

scrape_configs:
  - job_name: faultline
    static_configs:
      - targets:
${targets.map(target => `          - ${JSON.stringify(target)}\n`).join('')}`
}

export function prometheusFile(name: string): string {
  return stateEntry(name, 'prometheus.yml')
}

/** For a cluster whose inspectors are on ports of this machine. */
export function writePrometheusConfig(spec: ClusterSpec): void {
  if (spec.metrics !== true) return
  const targets = nodeIds(spec)
    .filter(id => engineOf(spec, id).engine === 'faultline')
    .map(id => `${HOST}:${inspectorPort(spec, id)}`)
  const file = prometheusFile(spec.name)
  const title = [`Written by ./faultline up. prometheus --config.file=${file}`, `For Grafana: ${dashboardFile}`]
  makeFolder(stateDirectory(spec.name))
  writeFileSync(file, prometheusConfig({ title, targets, rules: alertRules }))
}
