/** Quotas of clients (KIP-13, KIP-546): set, and waited for until the brokers know them. */
import { errorName } from '#broker/protocol/errors.ts'
import {
  describeClientQuotasRequest,
  describeClientQuotasResponse,
} from '#broker/protocol/messages/48-describe-client-quotas.ts'
import {
  alterClientQuotasRequest,
  alterClientQuotasResponse,
} from '#broker/protocol/messages/49-alter-client-quotas.ts'
import { poll } from '../cluster/clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { Lines, type Line } from '../observe/lines.ts'

const alter = { request: alterClientQuotasRequest, response: alterClientQuotasResponse }
const describe = { request: describeClientQuotasRequest, response: describeClientQuotasResponse }

const entityType = 'client-id'
const exactMatch = 0
const answerMs = 10_000
const patienceMs = 30_000

export type ClientQuota = 'producer_byte_rate' | 'consumer_byte_rate'

/** Bytes per second that a client id may use of each broker. */
export async function limitClient(
  cluster: Cluster,
  clientId: string,
  quota: ClientQuota,
  bytesPerSecond: number,
): Promise<void> {
  const lines = new Lines(cluster, answerMs)
  try {
    const [first] = lines.brokers
    const entity = [{ entityType, entityName: clientId }]
    const ops = [{ key: quota, value: bytesPerSecond, remove: false }]
    const body = { entries: [{ entity, ops }], validateOnly: false }
    const { entries } = await lines.of(first as number, 'state').ask(alter, body)
    const code = errorName(entries[0]?.errorCode ?? -1)
    if (code !== 'NONE') throw new Error(`the quota of ${clientId} was refused with ${code}`)
    for (const broker of lines.brokers) {
      const isKnown = async () =>
        (await quotaOf(lines.of(broker, 'state'), clientId, quota)) === bytesPerSecond || undefined
      const known = await poll(isKnown, { clock: cluster.clock, everyMs: 50, timeoutMs: patienceMs })
      if (known === undefined)
        throw new Error(`broker ${broker} did not know the quota of ${clientId} after ${patienceMs} ms`)
    }
  } finally {
    lines.close()
  }
}

/** As this broker knows it; undefined: none. */
async function quotaOf(line: Line, clientId: string, quota: ClientQuota): Promise<number | undefined> {
  const components = [{ entityType, matchType: exactMatch, match: clientId }]
  const { errorCode, entries } = await line.ask(describe, { components, strict: true })
  if (errorCode !== 0) throw new Error(`DescribeClientQuotas: ${errorName(errorCode)}`)
  return entries?.[0]?.values.find(({ key }) => key === quota)?.value
}
