/** The quotas of this node, fed from its settings and the metadata log. */
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataPublisher } from '../../controller/publisher.ts'
import { withOverrides } from '../../config/dynamic.ts'
import { securitySetting } from '../../config/security.ts'
import type { MetadataImage } from '../../controller/image.ts'
import { ClientQuotas } from './client-quotas.ts'
import { ConnectionQuotas, parseOverrides, type ConnectionLimits } from './connection-quotas.ts'
import { QuotaLimits } from './quota-limits.ts'

export function makeQuotas(config: BrokerConfig, publisher: MetadataPublisher): ClientQuotas {
  const quotas = new ClientQuotas({
    window: { samples: config['quota.window.num'], sampleMs: config['quota.window.size.seconds'] * 1000 },
    controllerWindow: {
      samples: config['controller.quota.window.num'],
      sampleMs: config['controller.quota.window.size.seconds'] * 1000,
    },
  })
  publisher.subscribe(image => quotas.applyMetadata(image))
  return quotas
}

/** Limits follow what is altered at run time: computed again when those parts of the metadata change. */
export function connectionQuotas(
  config: BrokerConfig,
  metadata: () => MetadataImage | undefined,
  protectedListener: () => string | undefined = () => undefined,
): ConnectionQuotas {
  const window = { samples: config['quota.window.num'], sampleMs: config['quota.window.size.seconds'] * 1000 }
  let known: { image: MetadataImage | undefined; limits: ConnectionLimits } | undefined
  const limits = (): ConnectionLimits => {
    const image = metadata()
    const isFresh =
      known !== undefined &&
      known.image?.configs === image?.configs &&
      known.image?.clientQuotas === image?.clientQuotas
    if (known === undefined || !isFresh) known = { image, limits: limitsOf(config, image) }
    return known.limits
  }
  return new ConnectionQuotas({ window, limits, protectedListener })
}

function limitsOf(config: BrokerConfig, image: MetadataImage | undefined): ConnectionLimits {
  const overrides = image && [image.config('broker', ''), image.config('broker', String(config['node.id']))]
  // Settings that cannot be parsed keep what they had; the broker says so where it applies them.
  const live = withOverrides(config, overrides ?? [], () => undefined)
  const quotas = new QuotaLimits(image?.clientQuotas ?? new Map())
  return {
    perIp: live['max.connections.per.ip'],
    perIpOverrides: parseOverrides(live['max.connections.per.ip.overrides']),
    all: { connections: live['max.connections'], rate: live['max.connection.creation.rate'] },
    ofListener: listener => ({
      connections: securitySetting(live, { listener }, 'max.connections'),
      rate: securitySetting(live, { listener }, 'max.connection.creation.rate'),
    }),
    rateOf: ip => quotas.connectionRate(ip),
  }
}
