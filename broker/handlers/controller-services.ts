/** Lets a handler on a controller listener act as the active controller, and turns refusals into the reply the API has for them. */
import { isRefusal, type Operation } from '../controller/operation.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { RequestContext } from './handler.ts'

/** `refused` makes the whole reply when the operation as a whole was refused, NOT_CONTROLLER above all. */
export async function submit<Request, Reply extends object, Response>(
  context: RequestContext,
  operation: Operation<Request, Reply>,
  request: Request,
  as: { reply(reply: Reply): Response; refused(error: ErrorName, message: string): Response; timeoutMs?: number },
): Promise<Response> {
  const { controller } = context.services
  if (controller === undefined) return as.refused('NOT_CONTROLLER', 'This node has not the role controller.')
  const options = as.timeoutMs === undefined ? {} : { timeoutMs: Math.max(0, as.timeoutMs) }
  const result = await controller.submit(operation, request, options)
  return isRefusal(result) ? as.refused(result.refused, result.message) : as.reply(result)
}
