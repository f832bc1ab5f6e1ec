/** What becomes of a request or a response that faults are about: all faults that hit it, brought together. Decodes no more than they ask for. */
import { apiByKey } from '#broker/protocol/apis.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { decodeRequestHeader, decodeResponseHeader } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { codec } from '#broker/protocol/codec.ts'
import type { Message } from '#broker/protocol/schema.ts'
import { findTopic, type TopicTarget } from './body-topics.ts'
import { errorFrame, overwriteWithError, responseFrame, type AnswerError } from './error-answer.ts'
import type { FrameStart } from './frame-start.ts'
import type { PendingRequest } from './pending-requests.ts'
import type { Candidate, RequestFault } from './request-faults.ts'

export interface RequestDelay {
  readonly fault: RequestFault
  readonly delayMs: number
}

export interface Waiting {
  readonly delays: readonly RequestDelay[]
  /** Faults that hold it. */
  readonly holds: readonly RequestFault[]
}

interface Sending extends Waiting {
  /** How often it is sent. */
  readonly copies: number
}

export type Verdict =
  | ({ readonly do: 'forward' } & Sending)
  | { readonly do: 'drop'; readonly then: 'close' | 'stall'; readonly fault: RequestFault }
  | ({ readonly do: 'answer'; readonly answer: Buffer } & Sending)

const lengthBytes = 4

type Body = NonNullable<ReturnType<Candidate['body']>>

/** @param frame  with its length in front */
export function judgeRequest(faults: readonly RequestFault[], frame: Buffer, start: FrameStart): Verdict {
  const { apiKey, apiVersion, clientId, correlationId } = start
  const body = once(() => decode(frame, 'request', { apiKey, apiVersion }))
  const candidate = { apiKey, apiVersion, clientId: clientId ?? null, body }
  return judge(faults, candidate, error => {
    const request = body()
    if (request === undefined) return undefined
    // Nobody waits for an answer: not to arrive is all that can be seen of the error.
    if (!start.isAnswered) return nothing
    return errorFrame({ apiKey, version: apiVersion, correlationId }, request.value, error)
  })
}

/** @param request  what the response answers */
export function judgeResponse(faults: readonly RequestFault[], frame: Buffer, request: PendingRequest): Verdict {
  const { apiKey, apiVersion, correlationId } = request
  const body = once(() => decode(frame, 'response', request))
  return judge(faults, { ...request, body }, (error, topic) => {
    const response = body()
    if (response === undefined) return undefined
    const { message } = response
    const value = response.value as Record<string, unknown>
    const meant = topic === undefined ? undefined : structsOf(message, value, topic)
    const isMeant = meant && ((struct: Record<string, unknown>) => meant.has(struct))
    if (!overwriteWithError(message, { version: apiVersion, response: value, error, isMeant })) return undefined
    return responseFrame({ apiKey, version: apiVersion, correlationId }, value)
  })
}

function judge(
  faults: readonly RequestFault[],
  candidate: Candidate,
  answerWith: (error: AnswerError, topic: TopicTarget | undefined) => Buffer | undefined,
): Verdict {
  const duplicates: RequestFault[] = []
  const delays: RequestDelay[] = []
  let answer: Buffer | undefined
  const holds: RequestFault[] = []
  for (const fault of faults) {
    if (!fault.hitsNow(candidate)) continue
    const { action } = fault
    switch (action.do) {
      case 'drop':
        return { do: 'drop', then: action.then, fault }
      case 'delay':
        delays.push({ fault, delayMs: action.delayMs })
        break
      case 'duplicate':
        duplicates.push(fault)
        break
      case 'hold':
        holds.push(fault)
        break
      case 'error':
        answer = answerWith(action.error, fault.topic) ?? answer
        if (answer === undefined) fault.miss()
    }
  }
  if (answer === undefined) return { do: 'forward', copies: 1 + duplicates.length, delays, holds }
  for (const fault of duplicates) fault.miss()
  return { do: 'answer', answer, copies: 1, delays, holds }
}

const nothing = Buffer.alloc(0)

function structsOf(message: Message, body: Body['value'], topic: TopicTarget): Set<Record<string, unknown>> {
  const structs = new Set<Record<string, unknown>>()
  findTopic(message, body, topic, struct => structs.add(struct))
  return structs
}

/** Undefined for APIs and versions that are not known, and for bytes that are not what they claim. */
function decode(
  frame: Buffer,
  way: 'request' | 'response',
  { apiKey, apiVersion }: { readonly apiKey: number; readonly apiVersion: number },
): Body | undefined {
  const api = apiByKey(apiKey)
  const exchange = messagesOf(apiKey)
  if (api === undefined || exchange === undefined) return undefined
  if (apiVersion < api.minVersion || apiVersion > api.maxVersion) return undefined
  const message = exchange[way]
  const reader = new Reader(frame.subarray(lengthBytes))
  try {
    if (way === 'request') decodeRequestHeader(reader)
    else decodeResponseHeader(reader, { key: apiKey, version: apiVersion })
    return { message, value: codec(message, apiVersion).decode(reader) }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return undefined
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
