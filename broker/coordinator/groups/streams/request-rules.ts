/**
 * What is wrong with a StreamsGroupHeartbeat in itself, whatever group it is for. Kafka 4.3 does not support static members, regular
 * expressions of topics, warm-up tasks and offsets of tasks yet: a request that has them is refused, as there (KIP-1071).
 */
import type { StreamsGroupHeartbeatRequest } from '../../../protocol/messages/88-streams-group-heartbeat.ts'
import type { Refusal } from './admission.ts'

type Request = StreamsGroupHeartbeatRequest
/** Holds for a request that is wrong in this way. */
type Rule = readonly [message: string, isBroken: (request: Request) => boolean]

const leaves = -1
const leavesForNow = -2

const isBlank = (text: string | null): boolean => text?.trim() === ''
const taskLists = ({ activeTasks, standbyTasks, warmupTasks }: Request) => [activeTasks, standbyTasks, warmupTasks]
const hasRegex = ({ topology }: Request): boolean =>
  topology?.subtopologies.some(
    ({ sourceTopicRegex, copartitionGroups }) =>
      sourceTopicRegex.length > 0 || copartitionGroups.some(group => group.sourceTopicRegex.length > 0),
  ) === true

const notYet: readonly Rule[] = [
  ['Static members (an instance id) are not supported yet.', ({ instanceId }) => instanceId !== null],
  ['Offsets of tasks are not supported yet.', ({ taskOffsets }) => taskOffsets !== null],
  ['End offsets of tasks are not supported yet.', ({ taskEndOffsets }) => taskEndOffsets !== null],
  ['Warm-up tasks are not supported yet.', ({ warmupTasks }) => warmupTasks !== null && warmupTasks.length > 0],
  ['Source topics by regular expression are not supported yet.', hasRegex],
]

const always: readonly Rule[] = [
  ['The member id must not be blank.', ({ memberId }) => isBlank(memberId)],
  ['The group id must not be blank.', ({ groupId }) => isBlank(groupId)],
  ['The rack id may be null, not blank.', ({ rackId }) => isBlank(rackId)],
  ['A member epoch is -1 or more.', ({ memberEpoch }) => memberEpoch < leavesForNow],
  ['Only a static member can leave for a while (epoch -2).', ({ memberEpoch }) => memberEpoch === leavesForNow],
  [
    'Active, standby and warm-up tasks come together or not at all.',
    request => taskLists(request).includes(null) && taskLists(request).some(tasks => tasks !== null),
  ],
]

const joining: readonly Rule[] = [
  ['A member joins with its rebalance timeout.', ({ rebalanceTimeoutMs }) => rebalanceTimeoutMs === -1],
  [
    'A member joins with no tasks: three empty lists.',
    request => taskLists(request).some(tasks => tasks?.length !== 0),
  ],
  ['A member joins with its topology.', ({ topology }) => topology === null],
  ['The epoch of a topology is 0 or more.', ({ topology }) => topology !== null && topology.epoch < 0],
]

const staying: readonly Rule[] = [
  ['Only a member that joins brings its topology.', ({ topology }) => topology !== null],
]

/** Undefined: nothing. */
export function flawOf(request: Request): Refusal | undefined {
  const joins = request.memberEpoch === 0
  const rules = request.memberEpoch === leaves ? always : [...notYet, ...always, ...(joins ? joining : staying)]
  const broken = rules.find(([, isBroken]) => isBroken(request))
  if (broken !== undefined) return { error: 'INVALID_REQUEST', message: broken[0] }
  for (const { stateChangelogTopics } of request.topology?.subtopologies ?? [])
    for (const { name, partitions } of stateChangelogTopics)
      if (partitions !== 0)
        return {
          error: 'STREAMS_INVALID_TOPOLOGY',
          message: `A changelog has as many partitions as there are tasks: ${name} must not ask for ${partitions}.`,
        }
  return undefined
}
