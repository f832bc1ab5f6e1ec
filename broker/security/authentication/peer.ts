/** How this node connects to one listener of other nodes: the keys it trusts and shows, the user it is there. */
import type { BrokerConfig } from '../../config/broker-config.ts'
import { usesSasl, usesTls, type SecurityProtocol } from '../../config/listeners.ts'
import { ConfigError } from '../../config/table.ts'
import type { Environment, Random, TlsClient } from '../../environment/environment.ts'
import type { PeerSecurity, SaslExchange } from '../../net/peer-security.ts'
import { requiredLogin } from './login-modules.ts'
import { PlainClient, ScramClient } from './sasl-client.ts'
import { scramMechanismNamed } from './scram.ts'
import { tlsClient } from './tls-material.ts'

export interface PeerOptions {
  readonly listener: string
  readonly protocol: SecurityProtocol
  /** The setting that names the SASL mechanism. */
  readonly mechanism: 'sasl.mechanism.inter.broker.protocol' | 'sasl.mechanism.controller.protocol'
}

type Resolved = { readonly tls: TlsClient | undefined; readonly exchange: (() => SaslExchange) | undefined }

export class Peer implements PeerSecurity {
  readonly #environment: Environment
  readonly #options: PeerOptions
  #resolved: Resolved

  /** @throws ConfigError, so that what cannot work stops the start */
  constructor(environment: Environment, config: BrokerConfig, options: PeerOptions) {
    this.#environment = environment
    this.#options = options
    this.#resolved = this.#resolve(config)
  }

  /** For connections yet to be made. Throws ConfigError; then everything stays as it was. */
  update(config: BrokerConfig): void {
    this.#resolved = this.#resolve(config)
  }

  tls(): TlsClient | undefined {
    return this.#resolved.tls
  }

  sasl(): SaslExchange | undefined {
    return this.#resolved.exchange?.()
  }

  #resolve(config: BrokerConfig): Resolved {
    const { listener, protocol, mechanism } = this.#options
    const { disk, random } = this.#environment
    return {
      tls: usesTls(protocol) ? tlsClient(config, listener, disk) : undefined,
      exchange: usesSasl(protocol) ? exchangeMaker(config, listener, mechanism, random) : undefined,
    }
  }
}

function exchangeMaker(
  config: BrokerConfig,
  listener: string,
  setting: PeerOptions['mechanism'],
  random: Random,
): () => SaslExchange {
  const mechanism = config[setting]
  const scram = scramMechanismNamed(mechanism)
  if (mechanism !== 'PLAIN' && scram === undefined)
    throw new ConfigError(
      setting,
      `${setting}: nodes connect to listener ${listener} with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not with ${mechanism}`,
    )
  const { options } = requiredLogin(config, listener, mechanism)
  const user = options.get('username')
  const password = options.get('password')
  if (user === undefined || password === undefined) {
    const name = `listener.name.${listener.toLowerCase()}.${mechanism.toLowerCase()}.sasl.jaas.config`
    throw new ConfigError(name, `${name}: expected username and password, since this node connects there itself`)
  }
  return scram === undefined
    ? () => new PlainClient(user, password)
    : () => new ScramClient(scram, { user, password }, random)
}
