/**
 * Well-formed answers that say an error: to a request that never reaches its node, or in place of what the node answered. The error stands
 * where Kafka would put it: at each partition (topic, resource, group …) that the request names, else at the top of the response.
 *
 * Driven by the schemas: an array of the response that holds error codes has a counterpart in the request, element by element.
 */
import { encodeResponseFrame } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import type { Message } from '#broker/protocol/schema.ts'
import { shapeOf, type Shape, type ShapeField, type ShapeType } from '#broker/protocol/shape.ts'

export interface AnswerError {
  readonly code: number
  /** Put where the version has room for words. */
  readonly message: string
  /** 'top': at the top of the response, in versions that have a place for it there. */
  readonly place: 'parts' | 'top'
}

type Struct = Record<string, unknown>

/** Arrays of responses and what the same things are called in requests; the first that is there and not empty counts. */
const counterparts: Readonly<Record<string, readonly string[]>> = {
  responses: ['topicData', 'topics', 'topicNames', 'resources'],
  partitionResponses: ['partitionData'],
  partitions: ['partitions', 'partitionIndexes'],
  coordinators: ['coordinatorKeys'],
  groups: ['groups', 'groupIds'],
  resultsByTransaction: ['transactions'],
  resultsByTopicV3AndBelow: ['v3AndBelowTopics'],
  topicResults: ['topics'],
  resultsByPartition: ['partitions'],
  results: ['results', 'creations', 'resources', 'topics', 'groupsNames', 'users', 'featureUpdates'],
  filterResults: ['filters'],
  replicaElectionResults: ['topicPartitions'],
  partitionResult: ['partitions'],
  transactionStates: ['transactionalIds'],
}

/** Fields of one thing that have another name in the request. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  partitionIndex: ['partition', 'index'],
  partition: ['partitionIndex'],
  index: ['partition'],
  user: ['name'],
  topicName: ['name'],
}

/** What a bare string or number in the request is called in the response. */
const keyNames = new Set(['name', 'key', 'groupId', 'partitionIndex', 'partitionId', 'transactionalId'])
const errorCodeNames = new Set(['errorCode', 'partitionErrorCode'])
/** Numbers whose "there is none" is -1, although the schema has no default for them. */
const minusOne = new Set([
  'baseOffset',
  'highWatermark',
  'lastStableOffset',
  'offset',
  'committedOffset',
  'lowWatermark',
])

const noRecords = Buffer.alloc(0)

const alterReplicaLogDirsKey = 34
const describeLogDirsKey = 35
const alterUserScramCredentialsKey = 51

/** Requests whose parts are not laid out like those of their responses. */
function alignedRequest(apiKey: number, request: Struct): Struct {
  if (apiKey === alterReplicaLogDirsKey)
    return { results: (request['dirs'] as Struct[]).flatMap(directory => directory['topics'] as Struct[]) }
  if (apiKey === alterUserScramCredentialsKey)
    return { results: [...(request['deletions'] as Struct[]), ...(request['upsertions'] as Struct[])] }
  // One directory without a name stands for all of them; newer versions have an error code at the top.
  if (apiKey === describeLogDirsKey) return { results: [{}] }
  return request
}

/**
 * The response to a request as a body ready to encode, or undefined where this version of the response has no place for an error.
 *
 * @param request  decoded
 */
export function errorBody(apiKey: number, version: number, request: object, error: AnswerError): Struct | undefined {
  const exchange = messagesOf(apiKey)
  if (exchange === undefined) return undefined
  const shape = shapeOf(exchange.response, version)
  const topCode = shape.fields.find(field => field.present && errorCodeNames.has(field.name))
  if (topCode !== undefined && (error.place === 'top' || apiKey === describeLogDirsKey)) return topOnly(shape, error)
  const { value, placed } = answer(shape, alignedRequest(apiKey, request as Struct), error)
  return placed ? value : undefined
}

/** The whole frame of `errorBody`. */
export function errorFrame(
  header: { readonly apiKey: number; readonly version: number; readonly correlationId: number },
  request: object,
  error: AnswerError,
): Buffer | undefined {
  const body = errorBody(header.apiKey, header.version, request, error)
  return body === undefined ? undefined : responseFrame(header, body)
}

/** Encodes a body of any API. */
export function responseFrame(
  header: { readonly apiKey: number; readonly version: number; readonly correlationId: number },
  body: Struct,
): Buffer {
  const exchange = messagesOf(header.apiKey)
  if (exchange === undefined) throw new Error(`API key ${header.apiKey} has no messages`)
  return Buffer.concat(encodeResponseFrame(header, exchange.response, body as never))
}

function topOnly(shape: Shape, error: AnswerError): Struct {
  const value = defaults(shape)
  for (const field of shape.fields) setError(value, field, error)
  return value
}

/** An element (or the top) of the response; `placed` says that it, or something in it, carries the error. */
function answer(shape: Shape, request: unknown, error: AnswerError): { value: Struct; placed: boolean } {
  const value = defaults(shape)
  copyKeys(shape, value, request)
  let placed = false
  for (const field of shape.fields) {
    if (!field.present || !holdsErrors(field.type)) continue
    const parts = counterpartOf(field.name, request)
    if (parts.length === 0) continue
    const element = (field.type as ShapeType & { kind: 'array' }).element as ShapeType & { kind: 'struct' }
    const answers = parts.map(part => answer(element.shape, part, error))
    value[field.name] = answers.map(each => each.value)
    placed ||= answers.some(each => each.placed)
  }
  if (placed) return { value, placed }
  for (const field of shape.fields) placed = setError(value, field, error) || placed
  return { value, placed }
}

function counterpartOf(name: string, request: unknown): readonly unknown[] {
  if (typeof request !== 'object' || request === null) return []
  const struct = request as Struct
  for (const candidate of [...(counterparts[name] ?? []), name]) {
    const parts = struct[candidate]
    if (Array.isArray(parts) && parts.length > 0) return parts
  }
  return []
}

function copyKeys(shape: Shape, value: Struct, request: unknown): void {
  const isBare = typeof request === 'string' || typeof request === 'number'
  const key = isBare ? shape.fields.find(field => field.present && keyNames.has(field.name)) : undefined
  if (key !== undefined) value[key.name] = request
  if (typeof request !== 'object' || request === null) return
  const asked = request as Struct
  for (const field of shape.fields) {
    if (!field.present || errorCodeNames.has(field.name) || holdsErrors(field.type)) continue
    const name = [field.name, ...(otherNames[field.name] ?? [])].find(candidate => candidate in asked)
    if (name !== undefined && isAlike(field, asked[name])) value[field.name] = asked[name]
  }
}

/** A field of the same name is copied when its value can be one of this field's. */
function isAlike(field: ShapeField, value: unknown): boolean {
  if (value === null) return field.nullable
  const { kind } = field.type
  if (kind === 'array') return field.name === 'entity' && Array.isArray(value)
  if (kind === 'string' || kind === 'uuid') return typeof value === 'string'
  return (kind === 'int8' || kind === 'int16' || kind === 'int32') && typeof value === 'number'
}

function setError(value: Struct, field: ShapeField, error: AnswerError): boolean {
  if (!field.present) return false
  if (field.name === 'errorMessage') value['errorMessage'] = error.message
  if (!errorCodeNames.has(field.name)) return false
  value[field.name] = error.code
  return true
}

function holdsErrors(type: ShapeType): boolean {
  if (type.kind !== 'array' || type.element.kind !== 'struct') return false
  return type.element.shape.fields.some(
    field => field.present && (errorCodeNames.has(field.name) || holdsErrors(field.type)),
  )
}

function defaults(shape: Shape): Struct {
  return Object.fromEntries(
    shape.fields.map(field => [field.name, field.present && minusOne.has(field.name) ? -1 : field.makeDefault()]),
  )
}

interface OverwriteOptions {
  readonly version: number
  readonly response: Struct
  readonly error: AnswerError
  /** Left out: every part. */
  readonly isMeant: ((struct: Struct) => boolean) | undefined
}

/**
 * Puts the error into a response that a node gave, in place of what it said: into every part of it, or into those that `isMeant` accepts.
 * Changes `response`. @returns false when nothing in it has a place for an error
 */
export function overwriteWithError(message: Message, { version, response, error, isMeant }: OverwriteOptions): boolean {
  const shape = shapeOf(message, version)
  const topCode = shape.fields.find(field => field.present && errorCodeNames.has(field.name))
  if (error.place === 'top' && topCode !== undefined) {
    for (const field of shape.fields) setError(response, field, error)
    return true
  }
  return overwrite(shape, response, error, isMeant)
}

function overwrite(
  shape: Shape,
  struct: Struct,
  error: AnswerError,
  isMeant: ((struct: Struct) => boolean) | undefined,
): boolean {
  const inside = isMeant !== undefined && isMeant(struct) ? undefined : isMeant
  let placed = false
  for (const field of shape.fields) {
    if (!field.present || !holdsErrors(field.type)) continue
    const element = (field.type as ShapeType & { kind: 'array' }).element as ShapeType & { kind: 'struct' }
    for (const part of (struct[field.name] as Struct[] | null) ?? [])
      placed = overwrite(element.shape, part, error, inside) || placed
  }
  // What is told by each part is not told again by the whole, and the whole is not a part that was meant.
  if (placed || inside !== undefined) return placed
  for (const field of shape.fields) {
    if (field.present && field.type.kind === 'records') struct[field.name] = field.nullable ? null : noRecords
    if (field.present && minusOne.has(field.name)) struct[field.name] = -1
    placed = setError(struct, field, error) || placed
  }
  return placed
}

/** True when some version of the response to this API has a place for an error. */
export function canAnswerWithError(apiKey: number): boolean {
  const exchange = messagesOf(apiKey)
  if (exchange === undefined) return false
  const { minVersion, maxVersion } = exchange.response
  for (let version = minVersion; version <= maxVersion; version++) {
    const { fields } = shapeOf(exchange.response, version)
    if (fields.some(field => field.present && (errorCodeNames.has(field.name) || holdsErrors(field.type)))) return true
  }
  return false
}
