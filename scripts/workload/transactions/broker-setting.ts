/** Settings of all brokers at once, changed while they run: what kafka-configs.sh does with --entity-type brokers --entity-default. */
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '#broker/protocol/messages/44-incremental-alter-configs.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { Calls } from './calls.ts'

const alter = { request: incrementalAlterConfigsRequest, response: incrementalAlterConfigsResponse }
const brokerResource = 4
const operations = { set: 0, delete: 1 } as const

/** Null takes it back. Brokers hear of it a little later. */
export async function alterBrokerSetting(cluster: Cluster, name: string, value: string | null): Promise<void> {
  const configOperation = value === null ? operations.delete : operations.set
  const resource = { resourceType: brokerResource, resourceName: '', configs: [{ name, configOperation, value }] }
  const calls = new Calls(cluster)
  try {
    await calls.patiently(
      `the setting ${name}`,
      async () => await calls.anyBroker(alter, { resources: [resource], validateOnly: false }),
      ({ responses }) => responses[0]?.errorCode ?? -1,
    )
  } finally {
    calls.close()
  }
}
