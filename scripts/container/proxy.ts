/**
 * The fault proxy as a container beside those of the nodes: links in the variable FAULTLINE_PROXY_TOPOLOGY, control on a fixed port that Compose
 * publishes on the loopback address of the host. Ends when it is told to; its faults and connections end with it.
 */
import { failure, messageOf } from '../errors.ts'
import { serveControl } from '../proxy/control.ts'
import type { ProxyTopology } from '../proxy/model.ts'
import { FaultProxy } from '../proxy/proxy.ts'
import { proxyControlPort, proxyTopologyVariable } from './proxy-variables.ts'

async function main(): Promise<void> {
  const text = process.env[proxyTopologyVariable]
  if (text === undefined) throw failure(`The variable ${proxyTopologyVariable} is missing.`)
  const topology = JSON.parse(text) as ProxyTopology
  const proxy = new FaultProxy(topology)
  await proxy.listen()
  await serveControl(proxy, { host: '0.0.0.0', port: proxyControlPort })
  console.log(`${topology.links.length} links, control on port ${proxyControlPort}`)
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0))
main().catch((error: unknown) => {
  console.error(messageOf(error))
  process.exit(1)
})
