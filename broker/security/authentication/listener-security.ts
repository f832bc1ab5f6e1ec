/**
 * What each listener of this node asks of its clients, and what this node shows to others, resolved from the settings when the node starts, so that a
 * mistake stops the start and not the first client.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'
import { usesSasl, usesTls, type ListenerConfig, type Listeners } from '../../config/listeners.ts'
import { securitySetting } from '../../config/security.ts'
import { ConfigError } from '../../config/table.ts'
import type { Environment, TlsServer } from '../../environment/environment.ts'
import type { AuthenticatedConnection, ConnectionAuthentication } from '../../net/connection-authentication.ts'
import { loginModule, requiredLogin } from './login-modules.ts'
import { KeySource } from './key-source.ts'
import { MappingRuleError, PrincipalMapper } from './mapping-rules.ts'
import type { ServerMechanism } from './mechanism.ts'
import { OAuthBearerServer, type TokenValidator } from './oauth-bearer.ts'
import { PlainServer } from './plain.ts'
import { SaslSession } from './sasl-session.ts'
import { scramMechanismNamed } from './scram.ts'
import { ScramServer, type ScramCredentials } from './scram-server.ts'
import { CertificateAuthentication } from './certificate.ts'
import { namesRefusal, type AllowedChanges } from './certificate-names.ts'
import { tlsServer } from './tls-material.ts'
import { signedTokens, unsecuredTokens } from './token-validators.ts'

export interface SecurityOptions {
  readonly environment: Environment
  readonly credentials: ScramCredentials
}

/** One listener's part in it. */
export class ListenerSecurity {
  readonly #options: SecurityOptions
  readonly #listener: ListenerConfig
  #config: BrokerConfig
  #mapper: PrincipalMapper
  /** Certificates as they were when they were read last: the file may hold others by now. */
  #shown: string | undefined
  #mechanisms: ReadonlyMap<string, () => ServerMechanism>

  /** @throws ConfigError */
  constructor(config: BrokerConfig, listener: ListenerConfig, options: SecurityOptions) {
    this.#options = options
    this.#listener = listener
    this.#config = config
    this.#mapper = this.#makeMapper()
    this.#mechanisms = this.#makeMechanisms(config)
  }

  /** Keys and certificates as they are on disk now. Throws ConfigError. */
  tls(): TlsServer | undefined {
    if (!usesTls(this.#listener.securityProtocol)) return undefined
    const tls = tlsServer(this.#config, this.#listener, this.#options.environment.disk)
    this.#shown = tls.certificateChain
    return tls
  }

  /** Other settings from now on, for connections yet to come. Throws ConfigError; then everything stays as it was. */
  update(config: BrokerConfig): void {
    const mechanisms = this.#makeMechanisms(config)
    this.#config = config
    this.#mechanisms = mechanisms
  }

  /** Whether these settings could take the place of the ones there are. Throws ConfigError or NetworkError TLS. */
  check(config: BrokerConfig): void {
    this.#makeMechanisms(config)
    if (!usesTls(this.#listener.securityProtocol)) return
    const { disk, network } = this.#options.environment
    const tls = tlsServer(config, this.#listener, disk)
    network.checkTls?.(tls)
    const setting = 'ssl.keystore.location'
    const refusal = this.#shown && namesRefusal(this.#shown, tls.certificateChain ?? '', this.#allowedChanges(config))
    if (refusal) throw new ConfigError(setting, `${setting}: ${refusal}`)
  }

  #allowedChanges(config: BrokerConfig): AllowedChanges {
    const scope = { listener: this.#listener.name }
    return {
      subject: securitySetting(config, scope, 'ssl.allow.dn.changes'),
      alternativeNames: securitySetting(config, scope, 'ssl.allow.san.changes'),
    }
  }

  authenticate(connection: AuthenticatedConnection): ConnectionAuthentication | undefined {
    const { name, securityProtocol } = this.#listener
    if (securityProtocol === 'PLAINTEXT') return undefined
    if (securityProtocol === 'SSL') return new CertificateAuthentication(connection.peerCertificate, this.#mapper)
    const config = this.#config
    const mechanisms = this.#mechanisms
    return new SaslSession(connection, {
      environment: this.#options.environment,
      enabled: [...mechanisms.keys()],
      mechanism: mechanism => mechanisms.get(mechanism)?.(),
      maxReauthenticationMs: mechanism =>
        securitySetting(config, { listener: name, mechanism }, 'connections.max.reauth.ms'),
      failureDelayMs: config['connection.failed.authentication.delay.ms'],
      maxReceiveBytes: config['sasl.server.max.receive.size'],
      maxRequestBytes: config['socket.request.max.bytes'],
    })
  }

  #makeMapper(): PrincipalMapper {
    const rules = securitySetting(this.#config, { listener: this.#listener.name }, 'ssl.principal.mapping.rules')
    try {
      return new PrincipalMapper(rules)
    } catch (error) {
      if (!(error instanceof MappingRuleError)) throw error
      throw new ConfigError('ssl.principal.mapping.rules', `ssl.principal.mapping.rules: ${error.message}`)
    }
  }

  #makeMechanisms(config: BrokerConfig): Map<string, () => ServerMechanism> {
    const { name, securityProtocol } = this.#listener
    const result = new Map<string, () => ServerMechanism>()
    if (!usesSasl(securityProtocol)) return result
    for (const mechanism of securitySetting(config, { listener: name }, 'sasl.enabled.mechanisms'))
      result.set(mechanism, this.#makeMechanism(config, mechanism))
    return result
  }

  #makeMechanism(config: BrokerConfig, mechanism: string): () => ServerMechanism {
    const { environment, credentials } = this.#options
    const listener = this.#listener.name
    const scram = scramMechanismNamed(mechanism)
    if (scram !== undefined) return () => new ScramServer(scram, credentials, environment.random)
    if (mechanism === 'PLAIN') {
      const { options } = requiredLogin(config, listener, mechanism)
      return () => new PlainServer(user => options.get(`user_${user}`))
    }
    if (mechanism === 'OAUTHBEARER') {
      const validate = tokenValidator(config, listener, environment)
      return () => new OAuthBearerServer(validate)
    }
    const gssapi = mechanism === 'GSSAPI' ? ' (Kerberos; it is also the default, so the setting must be given)' : ''
    throw new ConfigError(
      'sasl.enabled.mechanisms',
      `sasl.enabled.mechanisms: ${mechanism}${gssapi} is not there; listener ${listener} can offer PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER`,
    )
  }
}

function tokenValidator(config: BrokerConfig, listener: string, environment: Environment): TokenValidator {
  const { clock } = environment
  const scope = { listener, mechanism: 'OAUTHBEARER' }
  const handler = securitySetting(config, scope, 'sasl.server.callback.handler.class')
  if (handler.endsWith('OAuthBearerUnsecuredValidatorCallbackHandler')) {
    const options = loginModule(config, listener, 'OAUTHBEARER')?.options ?? new Map<string, string>()
    return unsecuredTokens({
      clock,
      principalClaim: options.get('unsecuredValidatorPrincipalClaimName') ?? 'sub',
      scopeClaim: options.get('unsecuredValidatorScopeClaimName') ?? 'scope',
      requiredScope: (options.get('unsecuredValidatorRequiredScope') ?? '').split(/\s+/).filter(word => word !== ''),
      clockSkewMs: Number(options.get('unsecuredValidatorAllowableClockSkewMs') ?? 0),
    })
  }
  const url = securitySetting(config, scope, 'sasl.oauthbearer.jwks.endpoint.url')
  if (!/^(https?|file):/.test(url) || !URL.canParse(url))
    throw new ConfigError(
      'sasl.oauthbearer.jwks.endpoint.url',
      `sasl.oauthbearer.jwks.endpoint.url: expected an https, http or file URL for listener ${listener}, got "${url}"; tokens that nobody signed are taken only with sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`,
    )
  return signedTokens({
    clock,
    keys: new KeySource({
      environment,
      url,
      refreshMs: securitySetting(config, scope, 'sasl.oauthbearer.jwks.endpoint.refresh.ms'),
      retryBackoffMs: securitySetting(config, scope, 'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms'),
      retryBackoffMaxMs: securitySetting(config, scope, 'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms'),
    }),
    clockSkewSeconds: securitySetting(config, scope, 'sasl.oauthbearer.clock.skew.seconds'),
    audience: securitySetting(config, scope, 'sasl.oauthbearer.expected.audience'),
    issuer: securitySetting(config, scope, 'sasl.oauthbearer.expected.issuer'),
    subjectClaim: securitySetting(config, scope, 'sasl.oauthbearer.sub.claim.name'),
    scopeClaim: securitySetting(config, scope, 'sasl.oauthbearer.scope.claim.name'),
  })
}

/** Of every listener of this node, by name. */
export function listenerSecurity(
  config: BrokerConfig,
  listeners: Listeners,
  options: SecurityOptions,
): Map<string, ListenerSecurity> {
  const all = [...listeners.broker, ...listeners.controller]
  return new Map(all.map(listener => [listener.name, new ListenerSecurity(config, listener, options)]))
}
