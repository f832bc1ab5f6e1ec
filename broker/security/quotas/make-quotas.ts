/** The quotas of this node, fed from the metadata log. */
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataPublisher } from '../../controller/publisher.ts'
import { ClientQuotas } from './client-quotas.ts'

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
