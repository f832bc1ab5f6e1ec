/**
 * What nodes say to controllers, said by one that is none: votes, epochs that begin and end, fetches of the metadata log and its snapshots,
 * brokers that register, beat and take parts of the cluster's work. Its facts are true, mostly: cluster id, epochs, offsets, broker epochs.
 *
 * Two lies are left out, because Kafka's protocol has to believe them: a fetch in the name of a voter counts towards commits, and a heartbeat
 * with the epoch of a real broker speaks for that broker.
 */
import type { Random } from '#broker/environment/environment.ts'
import { errorName } from '#broker/protocol/errors.ts'
import type { ApiName } from '#broker/protocol/messages/index.ts'
import { zeroUuid } from '#broker/protocol/shape.ts'
import { reached, type Actor, type Ask, type Body, type Stage } from './actor.ts'
import { chance, pick } from './values.ts'

/** What is known of the quorum; kept up to date by the stories themselves. */
export interface QuorumFacts {
  readonly clusterId: string
  readonly voters: readonly number[]
  readonly topicIds: readonly string[]
  leaderEpoch: number
  leaderId: number
  highWatermark: number
  /** Of brokers that exist in this story alone. */
  readonly phantomEpochs: Map<number, number>
}

const metadataTopic = '__cluster_metadata'
const metadataTopicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
/** Far from the ids of voters, so that damage does not hit one of them. */
const firstPhantom = 1_000_000

type Request = (facts: QuorumFacts, random: Random) => readonly [ApiName, Body, Ask?]

/** The last there are, which Kafka would believe and never get away from. */
const extremeEpochs = [2 ** 31 - 1, 2 ** 31 - 2, -(2 ** 31)]

const phantom = (random: Random): number => firstPhantom + random.below(5)
const anyone = (facts: QuorumFacts, random: Random): number => pick(random, [...facts.voters, firstPhantom, -1])
const directory = (random: Random): string => (chance(random, 2) ? zeroUuid : random.bytes(16).toString('base64url'))
const epochAbout = ({ leaderEpoch }: QuorumFacts, random: Random): number =>
  chance(random, 50) ? pick(random, extremeEpochs) : leaderEpoch + pick(random, [0, 0, 0, 1, 1, 2, -1, 5, 1, 1_000])
const offsetAbout = ({ highWatermark }: QuorumFacts, random: Random): number =>
  Math.max(0, pick(random, [highWatermark, highWatermark + 1, highWatermark - 5, 0, highWatermark + 1_000_000]))
const clusterOf = ({ clusterId }: QuorumFacts, random: Random): string | null =>
  chance(random, 12) ? 'another' : chance(random, 4) ? null : clusterId
const ofMetadata = (partition: Body, topic: Body = { topicName: metadataTopic }): Body[] => [
  { ...topic, partitions: [partition] },
]
const listeners = [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9, securityProtocol: 0 }]
const features = [
  ...['metadata.version', 'kraft.version', 'group.version', 'transaction.version', 'share.version', 'streams.version'],
].map(name => ({ name, minSupportedVersion: 0, maxSupportedVersion: 30 }))

const vote: Request = (facts, random) => [
  'Vote',
  {
    clusterId: clusterOf(facts, random),
    voterId: pick(random, [-1, ...facts.voters]),
    topics: ofMetadata({
      partitionIndex: 0,
      replicaEpoch: epochAbout(facts, random),
      replicaId: anyone(facts, random),
      replicaDirectoryId: directory(random),
      voterDirectoryId: directory(random),
      lastOffsetEpoch: Math.max(0, epochAbout(facts, random) - 1),
      lastOffset: offsetAbout(facts, random),
      preVote: chance(random, 2),
    }),
  },
]

const beginEpoch: Request = (facts, random) => [
  'BeginQuorumEpoch',
  {
    clusterId: clusterOf(facts, random),
    voterId: pick(random, [-1, ...facts.voters]),
    topics: ofMetadata({
      partitionIndex: 0,
      voterDirectoryId: directory(random),
      leaderId: anyone(facts, random),
      leaderEpoch: epochAbout(facts, random),
    }),
    leaderEndpoints: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 9 }],
  },
]

const endEpoch: Request = (facts, random) => [
  'EndQuorumEpoch',
  {
    clusterId: clusterOf(facts, random),
    topics: ofMetadata({
      partitionIndex: 0,
      leaderId: anyone(facts, random),
      leaderEpoch: epochAbout(facts, random),
      preferredSuccessors: facts.voters,
      preferredCandidates: facts.voters.map(candidateId => ({ candidateId, candidateDirectoryId: zeroUuid })),
    }),
    leaderEndpoints: [],
  },
]

const fetch: Request = (facts, random) => {
  const replicaId = chance(random, 4) ? -1 : phantom(random)
  return [
    'Fetch',
    {
      clusterId: clusterOf(facts, random),
      replicaId,
      replicaState: { replicaId, replicaEpoch: -1 },
      maxWaitMs: pick(random, [0, 0, 20, 100]),
      minBytes: random.below(2),
      maxBytes: pick(random, [0, 1, 8_000_000]),
      topics: [
        {
          topic: metadataTopic,
          topicId: metadataTopicId,
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: epochAbout(facts, random),
              fetchOffset: offsetAbout(facts, random),
              lastFetchedEpoch: Math.max(0, Math.min(2 ** 31 - 1, epochAbout(facts, random) - random.below(2))),
              logStartOffset: 0,
              partitionMaxBytes: 1_000_000,
              replicaDirectoryId: directory(random),
              highWatermark: offsetAbout(facts, random),
            },
          ],
        },
      ],
      forgottenTopicsData: [],
      rackId: '',
    },
    // Distorted, it could speak for a voter.
    { isAsMeant: true },
  ]
}

const fetchSnapshot: Request = (facts, random) => [
  'FetchSnapshot',
  {
    clusterId: clusterOf(facts, random),
    replicaId: phantom(random),
    maxBytes: pick(random, [0, 1, 1_000_000, -1]),
    topics: ofMetadata(
      {
        partition: 0,
        currentLeaderEpoch: epochAbout(facts, random),
        snapshotId: { endOffset: offsetAbout(facts, random), epoch: epochAbout(facts, random) },
        position: pick(random, [0, 1, -1, 1_000_000]),
        replicaDirectoryId: directory(random),
      },
      { name: metadataTopic },
    ),
  },
]

const register: Request = ({ clusterId, voters }, random) => [
  'BrokerRegistration',
  {
    // A real one is refused: it is alive.
    brokerId: chance(random, 6) ? pick(random, voters) : phantom(random),
    clusterId: chance(random, 12) ? 'another' : clusterId,
    incarnationId: directory(random),
    listeners,
    features,
    rack: chance(random, 2) ? null : 'rack',
    logDirs: [random.bytes(16).toString('base64url')],
    previousBrokerEpoch: pick(random, [-1, 0, 5]),
  },
]

/** A phantom with its epoch, or somebody with an epoch that nobody has. */
function broker({ phantomEpochs, voters }: QuorumFacts, random: Random): Body {
  const known = [...phantomEpochs]
  if (known.length === 0 || chance(random, 4))
    return { brokerId: pick(random, [...voters, phantom(random)]), brokerEpoch: pick(random, [-1, 2 ** 40]) }
  const [brokerId, brokerEpoch] = pick(random, known)
  return { brokerId, brokerEpoch }
}

const beat: Request = (facts, random) => [
  'BrokerHeartbeat',
  {
    ...broker(facts, random),
    currentMetadataOffset: offsetAbout(facts, random),
    wantFence: chance(random, 3),
    wantShutDown: chance(random, 8),
    offlineLogDirs: chance(random, 4) ? [directory(random)] : [],
    cordonedLogDirs: chance(random, 4) ? [directory(random)] : null,
  },
]

const alterPartition: Request = (facts, random) => [
  'AlterPartition',
  {
    ...broker(facts, random),
    topics: facts.topicIds.map(topicId => ({
      topicId,
      partitions: [
        {
          partitionIndex: random.below(3),
          leaderEpoch: random.below(4),
          newIsr: [anyone(facts, random)],
          newIsrWithEpochs: [broker(facts, random)],
          leaderRecoveryState: random.below(3),
          partitionEpoch: random.below(4),
        },
      ],
    })),
  },
]

const assignDirectories: Request = (facts, random) => [
  'AssignReplicasToDirs',
  {
    ...broker(facts, random),
    directories: [
      {
        id: directory(random),
        topics: facts.topicIds.map(topicId => ({ topicId, partitions: [{ partitionIndex: 0 }] })),
      },
    ],
  },
]

const registerController: Request = (_, random) => [
  'ControllerRegistration',
  { controllerId: phantom(random), incarnationId: directory(random), zkMigrationReady: false, listeners, features },
]

const updateVoter: Request = (facts, random) => [
  'UpdateRaftVoter',
  {
    clusterId: clusterOf(facts, random),
    currentLeaderEpoch: epochAbout(facts, random),
    voterId: anyone(facts, random),
    voterDirectoryId: directory(random),
    listeners: [{ name: 'CONTROLLER', host: '127.0.0.1', port: 9 }],
    kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: random.below(3) },
  },
]

const envelope: Request = (_, random) => [
  'Envelope',
  {
    requestData: pick(random, [Buffer.from('0012000000000001ffff', 'hex'), random.bytes(random.below(60))]),
    requestPrincipal: chance(random, 2) ? null : random.bytes(random.below(30)),
    clientHostAddress: random.bytes(pick(random, [4, 16, 3])),
  },
]

/** Ask for other leaders, and get them. */
const loud: readonly Request[] = [vote, vote, beginEpoch, endEpoch, fetch, fetch, fetchSnapshot]

const quiet: readonly Request[] = [
  ...[fetch, fetchSnapshot, register, register, beat, beat, beat],
  ...[alterPartition, assignDirectories, registerController, updateVoter, envelope],
  (facts, random) => ['AllocateProducerIds', broker(facts, random)],
  (_, random) => ['UnregisterBroker', { brokerId: phantom(random) }],
]

/** Learns what it can, and says something; actors reach one controller each, by its id. */
export async function quorumStory(
  actors: ReadonlyMap<number, Actor>,
  stage: Stage,
  facts: QuorumFacts,
  kind: 'loud' | 'quiet',
): Promise<void> {
  const { random, tally } = stage
  for (let step = 0; step < 40; step++) {
    const someone = pick(random, [...actors.values()])
    if (step % 8 === 0) await learn(someone, facts)
    const actor = chance(random, 4) ? someone : (actors.get(facts.leaderId) ?? someone)
    const [api, request, options] = pick(random, kind === 'loud' ? loud : quiet)(facts, random)
    const { body } = await actor.ask(api, request, options)
    if (body === undefined) continue
    const refusal = errorName((body['errorCode'] as number | undefined) ?? 0)
    reached(tally, `${api} ${refusal === 'NONE' ? 'heard' : 'refused'}`)
    if (api === 'BrokerRegistration' && refusal === 'NONE' && Number(request['brokerId']) >= firstPhantom)
      facts.phantomEpochs.set(Number(request['brokerId']), body['brokerEpoch'] as number)
  }
}

/** Whether it is the leader who answered. */
export async function learn(actor: Actor, facts: QuorumFacts): Promise<boolean> {
  const topics = ofMetadata({ partitionIndex: 0 })
  const { body } = await actor.ask('DescribeQuorum', { topics }, { intact: true })
  const described = body?.['topics'] as readonly { partitions: readonly Body[] }[] | undefined
  const partition = described?.[0]?.partitions[0]
  if (partition === undefined) return false
  facts.leaderEpoch = Math.max(facts.leaderEpoch, partition['leaderEpoch'] as number)
  facts.highWatermark = Math.max(facts.highWatermark, partition['highWatermark'] as number)
  facts.leaderId = partition['leaderId'] as number
  return errorName(partition['errorCode'] as number) === 'NONE'
}
