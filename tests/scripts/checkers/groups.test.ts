import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { check, groupChecks } from '#scripts/checkers/check.ts'
import type {
  ClientOperation,
  GroupOperation,
  Operation,
  PollMicroOp,
  RecordOperation,
} from '#scripts/history/operation.ts'
import { generateGroup, type GroupModelOptions } from './group-model.ts'
import { chance } from './model.ts'

const options: fc.Arbitrary<GroupModelOptions> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  partitions: fc.integer({ min: 1, max: 4 }),
  members: fc.integer({ min: 1, max: 4 }),
  steps: fc.integer({ min: 20, max: 200 }),
  lost: fc.constantFrom(0, 30),
  protocol: fc.constantFrom('classic', 'consumer'),
})

test('a group that does right is never called invalid', () => {
  fc.assert(
    fc.property(options, settings => {
      const { results } = check(generateGroup(settings), groupChecks)
      expect(results.filter(({ valid }) => valid === false)).toEqual([])
    }),
    { numRuns: 1_000 },
  )
})

type Mutation = (history: Operation[], pick: <T>(from: readonly T[]) => T | undefined) => boolean

const isJoin = (operation: Operation): operation is GroupOperation => operation.f === 'joined'
const isCommit = (operation: Operation): operation is GroupOperation => operation.f === 'commit'
const isTaking = (operation: Operation): operation is GroupOperation =>
  operation.f === 'revoked' || operation.f === 'lost'

const mutations: Readonly<Record<string, { readonly name: (typeof groupChecks)[number]; readonly mutate: Mutation }>> =
  {
    'a partition is given to two members of one generation': {
      name: 'group-ownership',
      mutate(history, pick) {
        const given = history.filter(isJoin).filter(({ value }) => value.partitions.length > 0)
        const first = pick(given)
        const second =
          first &&
          history.find(
            (other): other is GroupOperation =>
              isJoin(other) &&
              other.index > first.index &&
              other.process !== first.process &&
              other.value.generation === first.value.generation,
          )
        if (!first || !second) return false
        Object.assign(second.value, { partitions: [...second.value.partitions, first.value.partitions[0]] })
        return true
      },
    },
    'a partition that its owner keeps into the next generation is given to another one there': {
      name: 'group-ownership',
      mutate(history, pick) {
        const changes = history.filter(
          (each): each is GroupOperation | ClientOperation => isJoin(each) || isTaking(each) || each.f === 'crash',
        )
        const certain = history.filter(isCommit).filter(({ type }) => type === 'ok')
        /** What the member had been given in an earlier generation, and had in that of its commit. */
        const kept = (commit: GroupOperation) => {
          const own = changes.filter(({ index, process }) => index < commit.index && process === commit.process)
          const join = own.findLast(isJoin)
          if (!join || join.value.generation === commit.value.generation) return []
          const gone = own.filter(isTaking).filter(({ index }) => index > join.index)
          return join.value.partitions.filter(name => !gone.some(({ value }) => value.partitions.includes(name)))
        }
        const places = certain.flatMap(commit =>
          kept(commit).flatMap(partition =>
            changes
              .filter(isJoin)
              .filter(
                ({ process, value }) => process !== commit.process && value.generation === commit.value.generation,
              )
              .map(join => ({ commit, partition, join })),
          ),
        )
        // Whichever comes first, neither has let go of it by the time of the other.
        const place = pick(
          places.filter(({ commit, join }) => {
            const [first, second] = [commit, join].toSorted((a, b) => a.index - b.index) as [Operation, Operation]
            return !changes.some(
              ({ index, process }) => index > first.index && index < second.index && process === first.process,
            )
          }),
        )
        if (!place) return false
        const { join, partition } = place
        Object.assign(join.value, { partitions: [...join.value.partitions, partition] })
        return true
      },
    },
    'a member commits less than before': {
      name: 'committed-offsets',
      mutate(history, pick) {
        const commits = history.filter(
          (operation): operation is GroupOperation =>
            isCommit(operation) && Object.values(operation.value.offsets ?? {}).some(offset => offset > 0),
        )
        const commit = pick(commits.filter(({ type }) => type === 'ok'))
        if (!commit) return false
        const offsets = Object.fromEntries(Object.keys(commit.value.offsets ?? {}).map(name => [name, -1]))
        // The next of the same member, in the same generation.
        const next = history.find(
          operation =>
            operation.index > commit.index &&
            operation.process === commit.process &&
            (operation.f === 'commit' || operation.f === 'joined'),
        )
        if (next?.f !== 'commit' || next.type !== 'ok') return false
        Object.assign(next.value, { offsets })
        return true
      },
    },
    'the next owner begins below what was committed': {
      name: 'committed-offsets',
      mutate(history, pick) {
        const commits = history.filter(
          (operation): operation is GroupOperation => operation.f === 'commit' && operation.type === 'ok',
        )
        const commit = pick(commits)
        const [partition, offset] = pick(Object.entries(commit?.value.offsets ?? {})) ?? []
        if (!commit || partition === undefined || offset === undefined || offset === 0) return false
        const join = history.find(
          (operation): operation is GroupOperation =>
            isJoin(operation) && operation.index > commit.index && operation.value.partitions.includes(partition),
        )
        // Nobody may commit in between, and the new owner must poll the partition, and must have let go of it before.
        if (!join || join.process === commit.process) return false
        if (commits.some(({ index }) => index > commit.index && index < join.index)) return false
        const poll = history.find(
          (operation): operation is RecordOperation =>
            operation.f === 'poll' &&
            operation.type === 'ok' &&
            operation.process === join.process &&
            operation.index > join.index &&
            (operation.value[0] as PollMicroOp)[1]?.[partition] !== undefined,
        )
        const rejoined = history.some(
          other =>
            isJoin(other) &&
            other.index > join.index &&
            other.index < (poll?.index ?? 0) &&
            other.process === join.process,
        )
        const held = history.findLast(
          (other): other is GroupOperation =>
            other.index < join.index && other.process === join.process && (isJoin(other) || isTaking(other)),
        )
        if (!poll || rejoined || (held && isJoin(held) && held.value.partitions.includes(partition))) return false
        const polled = (poll.value[0] as PollMicroOp)[1] as Record<string, [number, string][]>
        polled[partition]?.unshift([offset - 1, 'again:1'])
        return true
      },
    },
  }

describe('a group that does wrong is caught', () => {
  test.each(Object.entries(mutations))('%s', (_, { name, mutate }) => {
    let broken = 0
    fc.assert(
      fc.property(options, settings => {
        const history = structuredClone(generateGroup({ ...settings, lost: 0 })) as Operation[]
        const next = chance(settings.seed)
        if (!mutate(history, from => (from.length === 0 ? undefined : from[next(from.length)]))) return
        broken += 1
        const [result] = check(history, [name]).results
        expect(result).toMatchObject({ name, valid: false })
        expect(result?.cases[0]?.explanation).toMatch(/t-\d/)
      }),
      { numRuns: 1_000 },
    )
    expect(broken).toBeGreaterThan(30)
  })
})
