/** The broker parts of a node, for handlers that are on broker listeners only. */
import type { RequestContext } from './handler.ts'
import type { BrokerServices } from './services.ts'

export function brokerOf(context: RequestContext): BrokerServices {
  const { broker } = context.services
  if (broker === undefined) throw new Error(`API key ${context.apiKey} was served on a node without the role broker`)
  return broker
}
