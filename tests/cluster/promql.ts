/** What the dashboard and the alert rules ask of Prometheus. */
import { readFileSync } from 'node:fs'
import { alertRules, dashboardFile } from '#scripts/cluster/metrics.ts'

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[]
}

/** Expressions of the dashboard by the title of their panel, with a range in place of Grafana's variable. */
export function dashboardExpressions(): { readonly panel: string; readonly expr: string }[] {
  const { panels } = JSON.parse(readFileSync(dashboardFile, 'utf8')) as Dashboard
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({ panel: title, expr: expr.replaceAll('$__rate_interval', '30s') })),
  )
}

/** Expressions of the alert rules by their name. */
export function alertExpressions(): { readonly alert: string; readonly expr: string }[] {
  const text = readFileSync(alertRules, 'utf8')
  return [...text.matchAll(/- alert: (\S+)\n\s+expr: (.+)\n/g)].map(([, alert = '', expr = '']) => ({ alert, expr }))
}

const words = new Set(['sum', 'max', 'min', 'avg', 'by', 'rate', 'increase', 'scalar', 'absent', 'without'])

/** Names of the metrics in a PromQL expression: identifiers that are no function, no label and in no string. */
export function metricNames(expr: string): string[] {
  const bare = expr
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without)\s*\([^)]*\)/g, '')
  return [...new Set(bare.match(/[a-zA-Z_:][a-zA-Z0-9_:]*/g))].filter(name => !words.has(name))
}

/** Names in the text that a node answers `/metrics` with. */
export function exposedNames(text: string): Set<string> {
  return new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name))
}
