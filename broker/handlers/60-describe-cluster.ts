/**
 * DescribeCluster: v0-2. The brokers of the cluster or, on a controller listener, its controllers.
 *
 * Behavior: a broker names any live broker as the controller (it forwards); a controller names the active one.
 * Versions: v1 endpoint type (KIP-919); v2 fenced brokers too (KIP-1073).
 * Errors: MISMATCHED_ENDPOINT_TYPE, UNSUPPORTED_ENDPOINT_TYPE.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { DescribeClusterRequest, describeClusterResponse } from '../protocol/messages/60-describe-cluster.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'
import { aliveNodes, clusterOperations, controllerForClients, nodeOf, operationsNotAsked } from './topic-metadata.ts'

type Response = Input<typeof describeClusterResponse>

const endpointType = { brokers: 1, controllers: 2 } as const

function refused(request: DescribeClusterRequest, error: ErrorName, errorMessage: string): Response {
  const failure = { errorCode: errorCode(error), errorMessage }
  return { ...failure, endpointType: request.endpointType, clusterId: '', brokers: [] }
}

function describeBrokers(request: DescribeClusterRequest, { services, connection }: RequestContext) {
  const image = services.metadata()
  const alive = aliveNodes(image, connection.listenerName)
  const fenced = request.includeFencedBrokers
    ? [...image.brokers.values()].filter(broker => broker.fenced).map(broker => nodeOf(broker, connection.listenerName))
    : []
  const describe = (isFenced: boolean) => (node: (typeof alive)[number]) => {
    const { nodeId: brokerId, host, port, rack } = node
    return { brokerId, host, port, rack, isFenced }
  }
  return {
    controllerId: controllerForClients(alive, services.nodeId),
    brokers: [...alive.map(describe(false)), ...fenced.filter(node => node !== undefined).map(describe(true))],
  }
}

function describeControllers({ services, connection }: RequestContext) {
  const brokers = [...services.metadata().controllers.values()].flatMap(({ id: brokerId, endpoints }) => {
    const endpoint = endpoints.find(({ name }) => name === connection.listenerName)
    return endpoint === undefined ? [] : [{ brokerId, host: endpoint.host, port: endpoint.port, rack: null }]
  })
  const leader = services.quorum.leader.leaderId
  return { controllerId: brokers.some(({ brokerId }) => brokerId === leader) ? leader : -1, brokers }
}

export const describeCluster = handler<DescribeClusterRequest, Response>({
  apiKey: 60,
  versions: [0, 2],
  listeners: ['broker', 'controller'],
  authorization: [
    requestRight('Alter', 'Cluster', (_request, { connection }) =>
      connection.listenerKind === 'controller' ? clusterName : undefined,
    ),
    right('Describe', 'Cluster'),
  ],
  fail: refused,
  handle: (request, context) => {
    const { services, connection, apiVersion } = context
    const onController = connection.listenerKind === 'controller'
    const expected = onController ? endpointType.controllers : endpointType.brokers
    if (request.endpointType !== expected) {
      // Before v1 nobody could say what they want.
      if (
        apiVersion > 0 &&
        request.endpointType !== endpointType.brokers &&
        request.endpointType !== endpointType.controllers
      ) {
        return refused(request, 'UNSUPPORTED_ENDPOINT_TYPE', `Unsupported endpoint type ${request.endpointType}`)
      }
      const kind = onController ? 'CONTROLLER' : 'BROKER'
      return refused(
        request,
        'MISMATCHED_ENDPOINT_TYPE',
        `The request was sent to an endpoint of type ${kind}, but asks for the other type`,
      )
    }
    return {
      errorCode: 0,
      errorMessage: null,
      endpointType: request.endpointType,
      clusterId: services.clusterId,
      ...(onController ? describeControllers(context) : describeBrokers(request, context)),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? clusterOperations(context)
        : operationsNotAsked,
    }
  },
})
