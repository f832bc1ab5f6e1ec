/**
 * How commands talk to the process of a fault proxy: HTTP on the loopback address, JSON both ways.
 *
 *   GET    /links                  LinkState[]
 *   POST   /links                  {"links": LinkDescription[]} → LinkState[], the ones that were not there
 *   DELETE /links                  {"links": names} → {}
 *   GET    /kinds                  LinkFaultKind[]: names, parameters, defaults, bounds
 *   GET    /faults                 FaultState[]
 *   POST   /faults                 FaultRequest → FaultState
 *   POST   /faults/ID/release      → {"released": n}
 *   POST   /probe                  {"link": name, "options": ProbeOptions} → Probe
 *   DELETE /faults/ID, /faults     → FaultState[], the ones that were healed
 *
 * A refusal has the status 400 and the body {"error", "remedy"}. Every request with a body says content-type application/json, and the Host
 * header names the loopback address: a web page of somebody else can do neither.
 */

/** `control.json` in the proxy's directory, written once it serves. */
export interface ControlFile {
  readonly controlPort: number
}

export const controlFileName = 'control.json'
export const topologyFileName = 'topology.json'

export interface Refusal {
  readonly error: string
  readonly remedy?: string | undefined
  /** The toolkit's exit code for it. */
  readonly exitCode: number
}
