/** Who speaks, as the selectors of metrics subscriptions see it. Its instance is forgotten with the connection. */
import type { TelemetryClient } from '../observe/client-telemetry.ts'
import { brokerOf } from './broker-services.ts'
import type { ConnectionInfo, RequestContext } from './handler.ts'

const watched = new WeakSet<ConnectionInfo>()

export function telemetryClient(context: RequestContext): TelemetryClient {
  const { connection, clientId } = context
  const { telemetry } = brokerOf(context)
  if (!watched.has(connection)) {
    watched.add(connection)
    connection.onClose(() => telemetry.disconnected(connection.id))
  }
  return {
    connectionId: connection.id,
    clientId: clientId ?? '',
    softwareName: connection.clientSoftware.name,
    softwareVersion: connection.clientSoftware.version,
    sourceAddress: connection.clientHost,
    sourcePort: connection.clientPort,
  }
}
