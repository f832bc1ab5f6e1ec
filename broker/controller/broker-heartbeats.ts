/**
 * When the controller last heard of each broker, and how far the brokers have read the metadata log. Kept in memory by the active
 * controller only: a new one gives every broker a whole session.
 * Source: KIP-631 "Broker Heartbeats"; Kafka's BrokerHeartbeatManager.
 */
export interface BrokerHeartbeat {
  readonly id: number
  fenced: boolean
  lastContactMs: number
  /** Last metadata offset the broker said it has applied, -1 when unknown. */
  metadataOffset: number
  /** What active brokers must have read before this one may stop; -1 when it is not shutting down. */
  controlledShutdownOffset: number
}

export class BrokerHeartbeats {
  readonly #brokers = new Map<number, BrokerHeartbeat>()
  readonly sessionTimeoutMs: number

  constructor(sessionTimeoutMs: number) {
    this.sessionTimeoutMs = sessionTimeoutMs
  }

  get(id: number): BrokerHeartbeat | undefined {
    return this.#brokers.get(id)
  }

  /** Starts a new session. */
  register(id: number, fenced: boolean, nowMs: number): void {
    this.#brokers.set(id, { id, fenced, lastContactMs: nowMs, metadataOffset: -1, controlledShutdownOffset: -1 })
  }

  remove(id: number): void {
    this.#brokers.delete(id)
  }

  touch(id: number, contact: { fenced: boolean; metadataOffset: number; nowMs: number }): void {
    const broker = this.#brokers.get(id)
    if (broker === undefined) return
    broker.lastContactMs = contact.nowMs
    broker.metadataOffset = contact.metadataOffset
    this.setFenced(id, contact.fenced)
  }

  setFenced(id: number, fenced: boolean): void {
    const broker = this.#brokers.get(id)
    if (broker === undefined) return
    broker.fenced = fenced
    // A fenced broker is out of controlled shutdown: at its next heartbeat it may stop at once.
    if (fenced) broker.controlledShutdownOffset = -1
  }

  /** From now on the broker may stop once the active brokers have read up to `offset`. */
  beginShutdown(id: number, offset: number): void {
    const broker = this.#brokers.get(id)
    if (broker !== undefined && broker.controlledShutdownOffset < 0) broker.controlledShutdownOffset = offset
  }

  hasValidSession(id: number, nowMs: number): boolean {
    const broker = this.#brokers.get(id)
    return broker !== undefined && !broker.fenced && nowMs - broker.lastContactMs <= this.sessionTimeoutMs
  }

  /** Infinity when there is no active broker. */
  lowestActiveOffset(): number {
    let lowest = Infinity
    for (const broker of this.#brokers.values()) {
      if (!broker.fenced && broker.controlledShutdownOffset < 0) lowest = Math.min(lowest, broker.metadataOffset)
    }
    return lowest
  }

  /** The unfenced broker silent for longest, if its session is over. */
  oneStale(nowMs: number): number | undefined {
    let stalest: BrokerHeartbeat | undefined
    for (const broker of this.#brokers.values()) {
      if (broker.fenced || this.hasValidSession(broker.id, nowMs)) continue
      if (stalest === undefined || broker.lastContactMs < stalest.lastContactMs) stalest = broker
    }
    return stalest?.id
  }

  /** When the next session ends if nothing is heard; undefined when none can. */
  nextExpiryMs(): number | undefined {
    let earliest: number | undefined
    for (const broker of this.#brokers.values()) {
      if (broker.fenced) continue
      const endMs = broker.lastContactMs + this.sessionTimeoutMs + 1
      if (earliest === undefined || endMs < earliest) earliest = endMs
    }
    return earliest
  }
}
