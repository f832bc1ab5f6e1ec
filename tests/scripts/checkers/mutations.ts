/** Breaks one promise of a correct history each. A mutation answers undefined where the history offers no place for it. */
import type { CheckName } from '#scripts/checkers/check.ts'
import {
  isRecordOperation,
  recordKeyOf,
  type History,
  type MicroOp,
  type Offset,
  type Operation,
  type Value,
} from '#scripts/history/operation.ts'

type Records = [Offset, Value][]
interface Poll {
  readonly index: number
  readonly process: number
  readonly partition: string
  readonly records: Records
}
interface Send {
  readonly index: number
  readonly process: number
  readonly invoked: number
  readonly partition: string
  readonly sent: Records
}

/** A deep copy that may be changed, with its polls and acknowledged sends at hand. */
class Draft {
  readonly history: Operation[]
  readonly polls: Poll[] = []
  readonly sends: Send[] = []
  constructor(history: History) {
    this.history = JSON.parse(JSON.stringify(history)) as Operation[]
    const invoked = new Map<number, number>()
    for (const operation of this.history) {
      if (!isRecordOperation(operation)) continue
      if (operation.type === 'invoke') invoked.set(operation.process, operation.index)
      if (operation.type !== 'ok') continue
      const sent: Records = []
      let partition = ''
      for (const micro of operation.value) {
        if (micro[0] === 'poll') {
          for (const [name, records] of Object.entries(micro[1] ?? {})) {
            this.polls.push({
              index: operation.index,
              process: operation.process,
              partition: name,
              records: records as Records,
            })
          }
        } else {
          partition = micro[1]
          sent.push(micro[2] as unknown as [Offset, Value])
        }
      }
      const at = invoked.get(operation.process) as number
      if (sent.length > 0)
        this.sends.push({ index: operation.index, process: operation.process, invoked: at, partition, sent })
    }
  }

  /** Takes a value out of every poll. */
  forget(partition: string, value: Value): void {
    for (const poll of this.polls) {
      if (poll.partition !== partition) continue
      const at = poll.records.findIndex(([, polled]) => polled === value)
      if (at >= 0) poll.records.splice(at, 1)
    }
  }

  /** Lets two values change places in the log: in acknowledgements and polls. */
  swap(partition: string, a: Value, b: Value): void {
    const renamed = (value: Value) => (value === a ? b : value === b ? a : value)
    const offsets = new Map<Value, Offset>()
    for (const send of this.sends) {
      if (send.partition === partition) for (const [offset, value] of send.sent) offsets.set(value, offset)
    }
    for (const send of this.sends) {
      if (send.partition !== partition) continue
      for (const record of send.sent)
        if (record[1] === a || record[1] === b) record[0] = offsets.get(renamed(record[1])) as Offset
    }
    for (const poll of this.polls) {
      if (poll.partition === partition) for (const record of poll.records) record[1] = renamed(record[1])
    }
  }

  last(partition: string): Offset {
    return Math.max(
      ...this.polls
        .filter(poll => poll.partition === partition)
        .flatMap(poll => poll.records.map(([offset]) => offset)),
    )
  }
}

export type Mutation = (history: History, pick: (limit: number) => number) => History | undefined

function from<T>(candidates: readonly T[], pick: (limit: number) => number): T | undefined {
  return candidates.length === 0 ? undefined : candidates[pick(candidates.length)]
}

/** Sends with another of the same process (or record key) after it, as pairs of single values. */
function pairs(draft: Draft, related: (a: Send, b: Send, x: Value, y: Value) => boolean) {
  const found: { partition: string; a: Value; b: Value }[] = []
  for (const [at, first] of draft.sends.entries()) {
    for (const second of draft.sends.slice(at + 1, at + 40)) {
      if (first.partition !== second.partition || second.invoked < first.index) continue
      const [x, y] = [first.sent[0]?.[1] as Value, second.sent[0]?.[1] as Value]
      if (first.sent.length === 1 && second.sent.length === 1 && related(first, second, x, y))
        found.push({ partition: first.partition, a: x, b: y })
    }
  }
  return found
}

function mutate(change: (draft: Draft, pick: (limit: number) => number) => boolean): Mutation {
  return (history, pick) => {
    const draft = new Draft(history)
    return change(draft, pick) ? draft.history : undefined
  }
}

export const mutations: Partial<Record<CheckName, Mutation>> = {
  'lost-write': mutate((draft, pick) => {
    const candidates = draft.sends.flatMap(({ partition, sent }) =>
      sent.map(([offset, value]) => ({ partition, offset, value })),
    )
    const lost = from(
      candidates.filter(({ partition, offset }) => offset < draft.last(partition)),
      pick,
    )
    if (!lost) return false
    draft.forget(lost.partition, lost.value)
    return true
  }),
  unseen: mutate((draft, pick) => {
    const lost = from(draft.sends, pick)
    if (!lost) return false
    // The tail of the partition vanishes from there on.
    const start = lost.sent[0]?.[0] as Offset
    for (const poll of draft.polls) {
      if (poll.partition === lost.partition)
        poll.records.splice(0, poll.records.length, ...poll.records.filter(([offset]) => offset < start))
    }
    return true
  }),
  vanished: mutate((draft, pick) => {
    const finalRead = draft.history.findIndex(operation => operation.f === 'phase' && operation.value === 'final-read')
    const early = draft.polls.filter(({ index }) => index < finalRead)
    const poll = from(early, pick)
    const gone = poll?.records[0]?.[1]
    if (!poll || gone === undefined) return false
    for (const late of draft.polls) {
      const at =
        late.index > finalRead && late.partition === poll.partition
          ? late.records.findIndex(([, value]) => value === gone)
          : -1
      if (at >= 0) late.records.splice(at, 1)
    }
    return true
  }),
  duplicate: mutate((draft, pick) => {
    const poll = from(draft.polls, pick)
    if (!poll) return false
    const again = poll.records[0]?.[1] as Value
    const last = draft.polls.findLast(({ partition }) => partition === poll.partition) as Poll
    last.records.push([draft.last(poll.partition) + 1, again])
    return true
  }),
  'inconsistent-offsets': mutate((draft, pick) => {
    const twice = draft.polls.filter(poll =>
      draft.polls.some(
        other =>
          other.partition === poll.partition &&
          other.index !== poll.index &&
          other.records.some(([offset]) => offset === poll.records[0]?.[0]),
      ),
    )
    const poll = from(twice, pick)
    if (!poll?.records[0]) return false
    poll.records[0][1] = 'ghost:0'
    return true
  }),
  'log-order': mutate((draft, pick) => {
    const pair = from(
      pairs(draft, () => true),
      pick,
    )
    if (!pair) return false
    draft.swap(pair.partition, pair.a, pair.b)
    return true
  }),
  'garbage-read': mutate((draft, pick) => {
    const poll = from(draft.polls, pick)
    if (!poll) return false
    const last = draft.polls.findLast(({ partition }) => partition === poll.partition) as Poll
    last.records.push([draft.last(poll.partition) + 1, 'ghost:2'])
    return true
  }),
  'G1c-realtime': mutate((draft, pick) => {
    // Somebody read what was sent only later.
    const poll = from(draft.polls, pick)
    const later = from(
      draft.sends.filter(({ partition, invoked }) => poll && partition === poll.partition && invoked > poll.index),
      pick,
    )
    if (!poll || !later?.sent[0]) return false
    poll.records.push([...later.sent[0]])
    return true
  }),
  'aborted-read': mutate((draft, pick) => {
    const send = from(draft.sends, pick)
    if (!send) return false
    const operation = draft.history[send.index] as { type: string; value: readonly MicroOp[] }
    operation.type = 'fail'
    operation.value = send.sent.map(([, value]) => ['send', send.partition, value])
    return true
  }),
  'int-nonmonotonic-poll': mutate((draft, pick) => {
    const poll = from(
      draft.polls.filter(({ records }) => records.length > 1),
      pick,
    )
    if (!poll) return false
    poll.records.reverse()
    return true
  }),
  'int-poll-skip': mutate((draft, pick) => {
    // Another consumer must know the record, else nobody can tell that it was left out.
    const finalReads = new Set(draft.polls.slice(-1).map(({ process }) => process))
    const poll = from(
      draft.polls.filter(({ records, process }) => records.length > 2 && !finalReads.has(process)),
      pick,
    )
    if (!poll) return false
    poll.records.splice(1, 1)
    return true
  }),
  'nonmonotonic-poll': mutate((draft, pick) => {
    const poll = from(
      draft.polls.filter(later => previousOf(draft, later) !== undefined),
      pick,
    )
    const previous = poll && previousOf(draft, poll)
    if (!poll || !previous) return false
    poll.records.splice(0, poll.records.length, ...structuredClone(previous.records))
    return true
  }),
  'poll-skip': mutate((draft, pick) => {
    const finalReads = new Set(draft.polls.slice(-1).map(({ process }) => process))
    const poll = from(
      draft.polls.filter(
        later => later.records.length > 1 && !finalReads.has(later.process) && previousOf(draft, later),
      ),
      pick,
    )
    if (!poll) return false
    poll.records.shift()
    return true
  }),
  'int-nonmonotonic-send': mutate((draft, pick) => {
    const send = from(
      draft.sends.filter(({ sent }) => sent.length > 1),
      pick,
    )
    if (!send) return false
    draft.swap(send.partition, send.sent[0]?.[1] as Value, send.sent[1]?.[1] as Value)
    return true
  }),
  'nonmonotonic-send': mutate((draft, pick) => {
    const pair = from(
      pairs(draft, (a, b) => a.process === b.process),
      pick,
    )
    if (!pair) return false
    draft.swap(pair.partition, pair.a, pair.b)
    return true
  }),
  'key-order': mutate((draft, pick) => {
    const pair = from(
      pairs(draft, (_a, _b, x, y) => recordKeyOf(x) === recordKeyOf(y)),
      pick,
    )
    if (!pair) return false
    draft.swap(pair.partition, pair.a, pair.b)
    return true
  }),
  'log-start': (history, pick) => {
    const draft = JSON.parse(JSON.stringify(history)) as Operation[]
    const log = from(
      draft.filter(operation => operation.f === 'read-replica'),
      pick,
    )?.value
    if (log === undefined) return undefined
    ;(log as { logStartOffset: Offset }).logStartOffset = 1
    return draft
  },
  'replica-divergence': (history, pick) => {
    const draft = JSON.parse(JSON.stringify(history)) as Operation[]
    const logs = draft.filter(operation => operation.f === 'read-replica')
    const log = from(logs, pick)?.value as { batches: { records: Records }[] } | undefined
    const batch = log && from(log.batches, pick)
    if (!batch?.records[0]) return undefined
    batch.records[0][1] = 'ghost:1'
    return draft
  },
}

function previousOf(draft: Draft, poll: Poll): Poll | undefined {
  return draft.polls.findLast(
    other => other.index < poll.index && other.process === poll.process && other.partition === poll.partition,
  )
}
