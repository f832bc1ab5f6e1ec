/**
 * A reference model of a consumer group: generations that share partitions out, members that read from what was committed, commit, lose their
 * answers, die and come back, and old members that do not know yet. By the classic protocol all members are given their partitions anew in each
 * generation. By that of KIP-848 each comes into it when it has let go of what is to be others': it says nothing then of what it keeps, and is given
 * what the others have let go of. Whatever it does must be judged valid.
 */
import { HistoryRecorder, type ClientRecorder } from '#scripts/history/recorder.ts'
import type { History, Offset, PartitionName, Value } from '#scripts/history/operation.ts'
import { chance } from './model.ts'

export interface GroupModelOptions {
  readonly seed: number
  readonly partitions: number
  readonly members: number
  readonly steps: number
  /** Of 100 commits, of how many the member never hears; every second of them took effect. */
  readonly lost: number
  readonly protocol: 'classic' | 'consumer'
}

interface Member {
  client: ClientRecorder
  /** Where it reads on, for what it owns. */
  owned: Map<PartitionName, Offset>
  generation: number
  /** The coordinator has taken it for dead: it does not know yet, and others may have what it had. */
  isFenced: boolean
}

export function generateGroup(options: GroupModelOptions): History {
  const next = chance(options.seed)
  let nowMs = 0
  const recorder = new HistoryRecorder({ nowMs: () => (nowMs += 1 + next(4)) })
  const logs = new Map<PartitionName, Value[]>(
    Array.from({ length: options.partitions }, (_, index) => [`t-${index}`, []]),
  )
  const names = [...logs.keys()]
  const committed = new Map<PartitionName, Offset>()
  const producer = recorder.client('producer')
  const newMember = (): Member => ({
    client: recorder.client('member'),
    owned: new Map(),
    generation: 0,
    isFenced: false,
  })
  const members = Array.from({ length: options.members }, newMember)
  let generation = 0
  const group = 'g'
  /** What each member is to have in the generation. */
  let shares = new Map<Member, PartitionName[]>()

  const share = () => {
    generation += 1
    const living = members.filter(member => !member.isFenced)
    shares = new Map<Member, PartitionName[]>(living.map(member => [member, []]))
    for (const name of names) shares.get(living[next(living.length)] as Member)?.push(name)
  }
  const attend = (member: Member) => {
    if (member.isFenced) {
      const partitions = [...member.owned.keys()]
      if (partitions.length > 0) member.client.group('lost', { group, generation: member.generation, partitions })
      Object.assign(member, { owned: new Map(), isFenced: false })
      share()
    }
    const target = shares.get(member) ?? []
    const given = [...member.owned.keys()].filter(name => !target.includes(name))
    for (const name of given) member.owned.delete(name)
    if (given.length > 0) member.client.group('revoked', { group, generation: member.generation, partitions: given })
    member.generation = generation
    const taken = new Set(members.filter(each => !each.isFenced).flatMap(({ owned }) => [...owned.keys()]))
    const added = target.filter(name => !taken.has(name))
    if (added.length === 0) return
    for (const name of added) member.owned.set(name, committed.get(name) ?? 0)
    member.client.group('joined', { group, generation, partitions: [...member.owned.keys()] })
  }
  const fence = (member: Member) => {
    if (member.isFenced || members.filter(({ isFenced }) => !isFenced).length === 1) return
    member.isFenced = true
    share()
  }
  const rebalance = () => {
    share()
    if (options.protocol === 'consumer') return
    for (const member of members) {
      if (member.owned.size > 0 && next(3) > 0)
        member.client.group(next(2) === 0 ? 'revoked' : 'lost', { group, partitions: [...member.owned.keys()] })
      const partitions = shares.get(member) ?? []
      member.client.group('joined', { group, generation, partitions })
      // It keeps its place where it keeps a partition.
      member.owned = new Map(partitions.map(name => [name, committed.get(name) ?? 0]))
      member.generation = generation
    }
  }
  const send = () => {
    const name = names[next(names.length)] as PartitionName
    const log = logs.get(name) as Value[]
    const value = `k:${recorder.history.length}`
    producer.invoke('send', [['send', name, value]])
    log.push(value)
    producer.complete('ok', [['send', name, [log.length - 1, value]]])
  }
  const poll = (member: Member) => {
    const mine = [...member.owned.keys()]
    const name = mine[next(mine.length || 1)]
    if (name === undefined) return
    const from = member.owned.get(name) ?? 0
    const records = (logs.get(name) as Value[])
      .slice(from, from + 1 + next(4))
      .map((value, index) => [from + index, value] as const)
    if (records.length === 0) return
    member.owned.set(name, from + records.length)
    member.client.invoke('poll', [['poll']])
    member.client.complete('ok', [['poll', { [name]: records }]])
  }
  const commit = (member: Member) => {
    const offsets = Object.fromEntries(member.owned)
    if (member.owned.size === 0) return
    const { generation } = member
    if (member.isFenced) {
      member.client.group('commit', { group, generation, partitions: [], offsets }, 'fail')
      return
    }
    const lost = next(100) < options.lost
    if (!lost || next(2) === 0) for (const [name, offset] of member.owned) committed.set(name, offset)
    member.client.group('commit', { group, generation, partitions: [], offsets }, lost ? 'info' : 'ok')
  }
  const die = () => {
    const at = next(members.length)
    members[at]?.client.crash()
    // What it had is free: a member that is gone needs to let go of nothing.
    members[at] = newMember()
    rebalance()
  }
  rebalance()
  for (let step = 0; step < options.steps; step += 1) {
    const member = members[next(members.length)] as Member
    const luck = next(20)
    if (options.protocol === 'consumer' && next(2) === 0) attend(member)
    if (luck < 8) send()
    else if (luck < 14) poll(member)
    else if (luck < 18) commit(member)
    else if (luck < 19) rebalance()
    else if (options.protocol === 'consumer' && next(2) === 0) fence(member)
    else die()
  }
  return recorder.history
}
