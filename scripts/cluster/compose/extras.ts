/** Services beside the nodes in the Compose files of `compose/`: what makes users and keys, what shows metrics. */
import type { ClusterSpec } from '../cluster.ts'
import { brokerIds, nodeIds } from '../cluster.ts'
import { engineOf } from '../engine-name.ts'
import { brokerPort, HOST } from '../ports.ts'
import type { ComposeExtras } from './generator.ts'
import { INSPECTOR_PORT, listenerNames, serviceName } from './generator.ts'

const SECURITY = 'security'
/** Where the image looks for a server.properties. */
const SHARED = '/mnt/shared/config'

/** Releases that people can get; any other will do. */
const images = { prometheus: 'prom/prometheus:v3.5.0', grafana: 'grafana/grafana:12.1.0' } as const

export function extrasOf(spec: ClusterSpec): ComposeExtras | undefined {
  const secured = (spec.security ?? 'none') !== 'none'
  if (secured && spec.metrics === true) throw new Error('a Compose file with security and metrics is not written yet')
  if (secured) return securityExtras(spec)
  return spec.metrics === true ? metricsExtras() : undefined
}

/** `host:port` of every broker for clients on this machine. */
export function bootstrapOf(spec: ClusterSpec): string[] {
  return brokerIds(spec).map(id => `${HOST}:${brokerPort(spec, id)}`)
}

/** Users and keys are made by the first start, in a volume that every node reads its further settings from. */
function securityExtras(spec: ClusterSpec): ComposeExtras {
  const hosts = [HOST, 'localhost', ...nodeIds(spec).map(id => serviceName(spec, id))]
  const given: readonly (readonly [string, string])[] = [
    ['kind', spec.security ?? 'none'],
    ['listeners', listenerNames(spec).join(',')],
    ['hosts', hosts.join(',')],
    ['bootstrap', bootstrapOf(spec).join(',')],
  ]
  return {
    services: [
      '  # Makes users and keys, once, and ends.',
      `  ${SECURITY}:`,
      '    <<: *node',
      '    command:',
      '      - node',
      '      - /opt/faultline/security.mjs',
      ...given.map(([option, value]) => `      - '--${option}=${value}'`),
      '    network_mode: none',
      '    healthcheck:',
      '      disable: true',
      '    volumes:',
      `      - ${SECURITY}:${SHARED}`,
      '',
    ],
    volumes: [SECURITY],
    mounts: [`${SECURITY}:${SHARED}:ro`],
    // For the health check, which has no password.
    properties: { 'inspector.listener': `${HOST}:${INSPECTOR_PORT}` },
    after: SECURITY,
  }
}

function metricsExtras(): ComposeExtras {
  return {
    services: [
      '  # Reads /metrics of the nodes, and judges the alert rules: http://127.0.0.1:9090',
      '  prometheus:',
      `    image: ${images.prometheus}`,
      '    ports:',
      "      - '127.0.0.1:9090:9090'",
      '    volumes:',
      '      - ./metrics/prometheus.yml:/etc/prometheus/prometheus.yml:ro',
      '      - ../topologies/metrics/alerts.yml:/etc/prometheus/alerts.yml:ro',
      '      - prometheus:/prometheus',
      '',
      '  # Shows the dashboard, to everybody on this machine: http://127.0.0.1:3000',
      '  grafana:',
      `    image: ${images.grafana}`,
      '    ports:',
      "      - '127.0.0.1:3000:3000'",
      '    environment:',
      "      GF_AUTH_ANONYMOUS_ENABLED: 'true'",
      '      GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: /etc/grafana/dashboards/dashboard.json',
      '    volumes:',
      '      - ./metrics/grafana-datasource.yml:/etc/grafana/provisioning/datasources/prometheus.yml:ro',
      '      - ./metrics/grafana-dashboards.yml:/etc/grafana/provisioning/dashboards/faultline.yml:ro',
      '      - ../topologies/metrics/dashboard.json:/etc/grafana/dashboards/dashboard.json:ro',
      '',
    ],
    volumes: ['prometheus'],
    properties: { 'inspector.listener': `0.0.0.0:${INSPECTOR_PORT}` },
  }
}

/** `host:port` in the containers' network of every node that has metrics. */
export function scrapeTargets(spec: ClusterSpec): string[] {
  return nodeIds(spec)
    .filter(id => engineOf(spec, id).engine === 'faultline')
    .map(id => `${serviceName(spec, id)}:${INSPECTOR_PORT}`)
}
