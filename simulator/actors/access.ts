/**
 * Controlled access: clients log in with SASL/PLAIN on a listener of their own, StandardAuthorizer decides what they may do. Brokers, and the
 * actors that speak the protocol themselves, come over the other listener and may do everything.
 */
import type { AlterClientQuotasResponse } from '#broker/protocol/messages/49-alter-client-quotas.ts'
import type { CreateAclsResponse } from '#broker/protocol/messages/30-create-acls.ts'
import { errorName } from '#broker/protocol/errors.ts'
import type { Wire } from './wire.ts'

export interface Access {
  /** Bytes per second and broker that the workload may produce; undefined: no limit. */
  readonly producerByteRate: number | undefined
  readonly consumerByteRate: number | undefined
}

/** The clients of the workload. */
export const worker = { username: 'worker', password: 'worker-secret' } as const
/** Somebody who is known, and has no rights. */
export const intruder = { username: 'intruder', password: 'intruder-secret' } as const

export const clientListener = 'CLIENTS'

const module = 'org.apache.kafka.common.security.plain.PlainLoginModule'

export const accessSettings: Readonly<Record<string, string>> = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
  'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,${clientListener}:SASL_PLAINTEXT`,
  'sasl.enabled.mechanisms': 'PLAIN',
  [`listener.name.${clientListener.toLowerCase()}.plain.sasl.jaas.config`]: `${module} required ${[worker, intruder]
    .map(({ username, password }) => `user_${username}="${password}"`)
    .join(' ')};`,
}

/** Topic, group, cluster, transactional id: everything there is of each. */
const resources = [
  [2, '*'],
  [3, '*'],
  [4, 'kafka-cluster'],
  [5, '*'],
] as const

/** Gives the workload its rights and its limits. */
export async function admit(wire: Wire, access: Access): Promise<void> {
  const creations = resources.map(([resourceType, resourceName]) => ({
    resourceType,
    resourceName,
    principal: `User:${worker.username}`,
    host: '*',
    operation: 2,
    permissionType: 3,
  }))
  await wire.patiently('rights of the workload', async () => {
    const { results } = await wire.send<CreateAclsResponse>(wire.any(), 30, { creations }, 3)
    const failed = results.find(({ errorCode }) => errorCode !== 0)
    return { error: errorName(failed?.errorCode ?? 0), answer: undefined }
  })
  const ops = [
    ...limit('producer_byte_rate', access.producerByteRate),
    ...limit('consumer_byte_rate', access.consumerByteRate),
  ]
  if (ops.length > 0) await alterLimits(wire, ops)
}

/** The workload is done: who reads everything back must not be held up. */
export async function liftLimits(wire: Wire): Promise<void> {
  await alterLimits(
    wire,
    ['producer_byte_rate', 'consumer_byte_rate'].map(key => ({ key, value: 0, remove: true })),
  )
}

async function alterLimits(wire: Wire, ops: readonly object[]): Promise<void> {
  await wire.patiently('limits of the workload', async () => {
    const entity = [{ entityType: 'user', entityName: worker.username }]
    const body = { entries: [{ entity, ops }], validateOnly: false }
    const { entries } = await wire.send<AlterClientQuotasResponse>(wire.any(), 49, body, 1)
    return { error: errorName(entries[0]!.errorCode), answer: undefined }
  })
}

function limit(key: string, value: number | undefined) {
  return value === undefined ? [] : [{ key, value, remove: false }]
}
