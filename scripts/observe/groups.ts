/**
 * Groups of all kinds: every broker lists those that it coordinates and describes them. Nobody is asked who coordinates a group: whoever
 * lists it, does; when two do, one of them has not heard yet that it no longer does, and neither is believed.
 */
import { errorName } from '#broker/protocol/errors.ts'
import { listGroupsRequest, listGroupsResponse } from '#broker/protocol/messages/16-list-groups.ts'
import { describeByType, type DescribedGroup } from './group-descriptions.ts'
import { askGroupOffsets, type GroupOffsets } from './group-offsets.ts'
import { attempt, type Line, NoAnswer, reasonsOf } from './lines.ts'
import { groupTypes, isUnknown, unknown, type GroupType, type Known } from './model.ts'

const list = { request: listGroupsRequest, response: listGroupsResponse }

/** What one coordinator tells of a group. */
export interface ToldGroup extends DescribedGroup {
  readonly type: GroupType
  readonly coordinator: number
  readonly offsets: Known<GroupOffsets>
}

/** The groups that this broker coordinates, of those asked for. */
export async function askGroups(
  line: Line,
  wanted: readonly string[] | 'all',
): Promise<ReadonlyMap<string, Known<ToldGroup>>> {
  const { errorCode, groups } = await line.ask(list, {})
  if (errorCode !== 0) throw new NoAnswer(`broker ${line.broker} answers ${errorName(errorCode)} to ListGroups`)
  const idsOf = new Map<GroupType, string[]>()
  for (const { groupId, groupType } of groups) {
    if (wanted !== 'all' && !wanted.includes(groupId)) continue
    const type = typeOf(groupType)
    idsOf.set(type, [...(idsOf.get(type) ?? []), groupId])
  }
  const told = new Map<string, Known<ToldGroup>>()
  for (const [type, ids] of idsOf) {
    const described = await attempt(async () => await describeByType[type](line, ids))
    const offsets = await attempt(async () => await askGroupOffsets(line, type, ids))
    for (const id of ids) told.set(id, toldOf(line, { id, type }, described, offsets))
  }
  return told
}

/** Before ListGroups v5 a broker knows classic groups only, and says nothing. */
function typeOf(text: string): GroupType {
  return groupTypes.find(type => type === text.toLowerCase()) ?? 'classic'
}

function toldOf(
  line: Line,
  { id, type }: { readonly id: string; readonly type: GroupType },
  described: Known<ReadonlyMap<string, Known<DescribedGroup>>>,
  offsets: Known<ReadonlyMap<string, Known<GroupOffsets>>>,
): Known<ToldGroup> {
  const missing = () => unknown(`broker ${line.broker} lists the group ${id} and does not describe it`)
  const description = isUnknown(described) ? described : (described.get(id) ?? missing())
  if (isUnknown(description)) return description
  const committed = isUnknown(offsets) ? offsets : (offsets.get(id) ?? missing())
  return { ...description, type, coordinator: line.broker, offsets: committed }
}

/**
 * One answer for each id from what the coordinators told: null when every broker answered and none has it.
 *
 * @param ids  that were asked for by name, or were seen before
 */
export function oneOfEach<T>(
  what: string,
  answers: ReadonlyMap<number, Known<ReadonlyMap<string, Known<T>>>>,
  ids: Iterable<string>,
): Map<string, Known<T | null>> {
  const told = new Map<string, { readonly brokers: number[]; readonly answer: Known<T> }>()
  for (const [broker, answer] of answers) {
    if (isUnknown(answer)) continue
    for (const [id, found] of answer) {
      const before = told.get(id)
      if (before === undefined) told.set(id, { brokers: [broker], answer: found })
      else before.brokers.push(broker)
    }
  }
  const silent = reasonsOf(answers)
  const absent = silent === '' ? null : unknown(`nobody who answers coordinates it; ${silent}`)
  const all = [...new Set([...ids, ...told.keys()])].sort()
  return new Map(
    all.map(id => {
      const found = told.get(id)
      if (found === undefined) return [id, absent]
      if (found.brokers.length === 1) return [id, found.answer]
      return [id, unknown(`the brokers ${found.brokers.join(' and ')} both say that they coordinate the ${what} ${id}`)]
    }),
  )
}
