/** The authorizer that the settings ask for, fed from the metadata log. */
import type { BrokerConfig } from '../../config/broker-config.ts'
import { ConfigError } from '../../config/table.ts'
import type { MetadataPublisher } from '../../controller/publisher.ts'
import type { Logger } from '../../environment/environment.ts'
import { Principal } from '../../net/principal.ts'
import type { MetadataQuorum } from '../../raft/raft.ts'
import { StandardAuthorizer } from './standard-authorizer.ts'

/** Undefined when authorizer.class.name is empty. */
export function makeAuthorizer(
  config: BrokerConfig,
  log: Logger,
  publisher: MetadataPublisher,
  quorum: Pick<MetadataQuorum, 'highWatermark'>,
): StandardAuthorizer | undefined {
  if (config['authorizer.class.name'] === '') return undefined
  const authorizer = new StandardAuthorizer({
    log: log.child({ component: 'authorizer' }),
    superUsers: superUsersOf(config),
    allowEveryoneIfNoAclFound: config['allow.everyone.if.no.acl.found'],
  })
  // At first the high watermark says no more than what the own snapshot holds. What the quorum has committed is known once it moves.
  const ownHighWatermark = quorum.highWatermark
  publisher.subscribe(image => {
    authorizer.applyMetadata(image)
    const { highWatermark } = quorum
    const isComplete = highWatermark > ownHighWatermark && publisher.deliveredOffset + 1 >= highWatermark
    if (isComplete) authorizer.loadingIsComplete()
  })
  // A leader is told only after everything committed before has been delivered.
  publisher.subscribeLeader(({ leaderId }) => {
    if (leaderId === config['node.id']) authorizer.loadingIsComplete()
  })
  return authorizer
}

function superUsersOf(config: BrokerConfig): ReadonlySet<string> {
  const users = config['super.users']
    .split(';')
    .map(user => user.trim())
    .filter(user => user !== '')
  const wrong = users.find(user => Principal.parse(user) === undefined)
  if (wrong !== undefined)
    throw new ConfigError('super.users', `super.users: expected Type:name;Type:name;…, got "${wrong}"`)
  return new Set(users)
}
