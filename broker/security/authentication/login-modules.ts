/** The login modules of listeners and mechanisms, from listener.name.<listener>.<mechanism>.sasl.jaas.config (KIP-103). */
import type { BrokerConfig } from '../../config/broker-config.ts'
import { jaasText } from '../../config/security.ts'
import { ConfigError } from '../../config/table.ts'
import { JaasError, parseJaas, type LoginModule } from './jaas.ts'

/** The login module of a mechanism on a listener; undefined when none is configured. */
export function loginModule(config: BrokerConfig, listener: string, mechanism: string): LoginModule | undefined {
  const text = jaasText(config, listener, mechanism)
  if (text === undefined) return undefined
  try {
    return parseJaas(text)
  } catch (error) {
    if (!(error instanceof JaasError)) throw error
    const name = `listener.name.${listener.toLowerCase()}.${mechanism.toLowerCase()}.sasl.jaas.config`
    throw new ConfigError(name, `${name}: ${error.message}`)
  }
}

/** Throws ConfigError that names the setting. */
export function requiredLogin(config: BrokerConfig, listener: string, mechanism: string): LoginModule {
  const found = loginModule(config, listener, mechanism)
  if (found !== undefined) return found
  const name = `listener.name.${listener.toLowerCase()}.${mechanism.toLowerCase()}.sasl.jaas.config`
  throw new ConfigError(
    name,
    `${name}: expected a login module, since listener ${listener} offers or uses ${mechanism}`,
  )
}
