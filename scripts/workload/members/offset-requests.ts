/**
 * What a member commits, and where it begins. With KIP-848 both requests tell its epoch, and one that was sent while the coordinator gave it another
 * is refused (STALE_MEMBER_EPOCH) although the member has what it had: as Kafka's consumer does before it gives partitions up, and when it begins
 * to read, it is told its epoch and asks again.
 */
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import { offsetCommitRequest, offsetCommitResponse } from '#broker/protocol/messages/08-offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '#broker/protocol/messages/09-offset-fetch.ts'
import type { Offset } from '../../history/operation.ts'
import type { GroupCoordinator } from './coordinator.ts'
import { MemberRefusedError, type GroupMembership, type Identity } from './membership.ts'

// By names of topics: the versions after these know only their ids.
const commit = { request: offsetCommitRequest, response: offsetCommitResponse, oldest: 7, newest: 9 }
const fetchOffsets = { request: offsetFetchRequest, response: offsetFetchResponse, oldest: 8, newest: 9 }

/** Next offset to read of each partition. */
export type Positions = ReadonlyMap<number, Offset>

/** What came of a commit, and as whom it was made. */
export interface Committed extends Identity {
  readonly code: ErrorName
}

type CommitAnswer = { readonly topics: readonly { readonly partitions: readonly { readonly errorCode: number }[] }[] }

export class OffsetRequests {
  readonly #coordinator: GroupCoordinator
  readonly #membership: Pick<GroupMembership, 'identity' | 'renew'>
  readonly #topic: string
  readonly #tellsEpoch: boolean

  /** @param options.tellsEpoch  whether who asks where it is to begin says who it is (KIP-848) */
  constructor(
    coordinator: GroupCoordinator,
    membership: Pick<GroupMembership, 'identity' | 'renew'>,
    { topic, tellsEpoch }: { readonly topic: string; readonly tellsEpoch: boolean },
  ) {
    this.#coordinator = coordinator
    this.#membership = membership
    this.#topic = topic
    this.#tellsEpoch = tellsEpoch
  }

  async commit(positions: Positions): Promise<Committed> {
    return await this.#inTheRightEpoch(async () => {
      const { identity } = this.#membership
      const partitions = [...positions].map(([partitionIndex, committedOffset]) => ({
        partitionIndex,
        committedOffset,
        committedMetadata: null,
      }))
      const body = {
        groupId: this.#coordinator.group,
        generationIdOrMemberEpoch: identity.generation,
        memberId: identity.memberId,
        groupInstanceId: identity.instanceId,
        topics: [{ name: this.#topic, partitions }],
      }
      const errorOf = ({ topics }: CommitAnswer) =>
        topics[0]?.partitions.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? 0
      const answer = await this.#coordinator.ask('offsets', commit, body, errorOf)
      return { ...identity, code: errorName(errorOf(answer)) }
    })
  }

  /** Of those partitions of which an offset is committed. */
  async committed(partitions: readonly number[]): Promise<Positions> {
    if (partitions.length === 0) return new Map()
    const { code, topics } = await this.#inTheRightEpoch(async () => {
      const { memberId, generation } = this.#membership.identity
      const asking = this.#tellsEpoch ? { memberId, memberEpoch: generation } : {}
      const asked = [{ name: this.#topic, partitionIndexes: [...partitions] }]
      const body = { groups: [{ groupId: this.#coordinator.group, ...asking, topics: asked }], requireStable: true }
      const errorOf = ({ groups }: { readonly groups: readonly { readonly errorCode: number }[] }) =>
        groups[0]?.errorCode ?? 0
      const { groups } = await this.#coordinator.ask('offsets', fetchOffsets, body, errorOf)
      return { code: errorName(groups[0]?.errorCode ?? -1), topics: groups[0]?.topics ?? [] }
    })
    if (code !== 'NONE') throw new MemberRefusedError(code, 'OffsetFetch')
    const found = topics.flatMap(topic => topic.partitions).filter(({ committedOffset }) => committedOffset >= 0)
    return new Map(found.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]))
  }

  /** Once more, when the coordinator has given the member another epoch meanwhile. */
  async #inTheRightEpoch<T extends { readonly code: ErrorName }>(ask: () => Promise<T>): Promise<T> {
    const { generation } = this.#membership.identity
    const answer = await ask()
    if (answer.code !== 'STALE_MEMBER_EPOCH') return answer
    // A heartbeat may have told it already.
    const isNew = this.#membership.identity.generation !== generation || (await this.#membership.renew())
    return isNew ? await ask() : answer
  }
}
