/**
 * AlterUserScramCredentials as an operation (KIP-554): credentials of users set and taken away. Of a user that is named twice nothing is changed;
 * every other one succeeds or fails by itself. Messages as Kafka's ScramControlManager.
 */
import { credentialOf, maxIterations, scramMechanismWithId } from '../security/authentication/scram.ts'
import type { MetadataRecord } from './metadata-record.ts'
import { scramKey } from './mutable-image.ts'
import { itemError, type ControllerState, type ItemError, type Operation } from './operation.ts'

interface Deletion {
  readonly name: string
  readonly mechanism: number
}

interface Upsertion extends Deletion {
  readonly iterations: number
  readonly salt: Buffer
  readonly saltedPassword: Buffer
}

export interface AlterScramInput {
  readonly deletions: readonly Deletion[]
  readonly upsertions: readonly Upsertion[]
}

export interface AlterScramReply {
  readonly results: readonly { readonly user: string; readonly failure: ItemError | undefined }[]
}

export const alterScramCredentials: Operation<AlterScramInput, AlterScramReply> = (state, request) => {
  const outcomes = new Map<string, MetadataRecord | ItemError>()
  const settle = (name: string, outcome: () => MetadataRecord | ItemError): void => {
    const former = outcomes.get(name)
    if (former !== undefined && 'error' in former) return
    const twice = 'A user credential cannot be altered twice in the same request'
    outcomes.set(name, former === undefined ? outcome() : itemError('DUPLICATE_RESOURCE', twice))
  }
  for (const deletion of request.deletions) settle(deletion.name, () => remove(state, deletion))
  for (const upsertion of request.upsertions) settle(upsertion.name, () => put(upsertion))
  const records: MetadataRecord[] = []
  const results = [...outcomes].map(([user, outcome]) => {
    if ('error' in outcome) return { user, failure: outcome }
    records.push(outcome)
    return { user, failure: undefined }
  })
  return { records, reply: { results } }
}

function invalid({ name, mechanism }: Deletion): ItemError | undefined {
  if (name === '') return itemError('UNACCEPTABLE_CREDENTIAL', 'Username must not be empty')
  if (scramMechanismWithId(mechanism) === undefined)
    return itemError('UNSUPPORTED_SASL_MECHANISM', 'Unknown SCRAM mechanism')
  return undefined
}

function remove({ image }: ControllerState, deletion: Deletion): MetadataRecord | ItemError {
  const failure = invalid(deletion)
  if (failure !== undefined) return failure
  if (!image.scramCredentials.has(scramKey(deletion)))
    return itemError('RESOURCE_NOT_FOUND', 'Attempt to delete a user credential that does not exist')
  return { type: 'RemoveUserScramCredential', name: deletion.name, mechanism: deletion.mechanism }
}

function put(upsertion: Upsertion): MetadataRecord | ItemError {
  const failure = invalid(upsertion)
  if (failure !== undefined) return failure
  const { name, mechanism, iterations, salt, saltedPassword } = upsertion
  const scram = scramMechanismWithId(mechanism)
  if (scram === undefined) return itemError('UNSUPPORTED_SASL_MECHANISM', 'Unknown SCRAM mechanism')
  if (iterations < scram.minIterations) return itemError('UNACCEPTABLE_CREDENTIAL', 'Too few iterations')
  if (iterations > maxIterations) return itemError('UNACCEPTABLE_CREDENTIAL', 'Too many iterations')
  if (saltedPassword.length === 0) return itemError('UNACCEPTABLE_CREDENTIAL', 'Empty salted password')
  const credential = credentialOf(scram, saltedPassword, salt, iterations)
  return { type: 'UserScramCredential', name, mechanism, ...credential }
}
