/** Of a client on an SSL listener: its principal is what the mapping rules make of the name in its certificate, if it has shown one (KIP-371). */
import type { ConnectionAuthentication, RequestServer } from '../../net/connection-authentication.ts'
import type { Reply } from '../../net/connection.ts'
import { anonymous, Principal, userType } from '../../net/principal.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { subjectOf } from './distinguished-name.ts'
import type { PrincipalMapper } from './mapping-rules.ts'

export class CertificateAuthentication implements ConnectionAuthentication {
  readonly principal: Principal
  readonly #refusal: string | undefined

  constructor(certificate: Buffer | undefined, mapper: PrincipalMapper) {
    const subject = certificate === undefined ? undefined : subjectOf(certificate)
    const name = subject === undefined ? undefined : mapper.nameOf(subject)
    this.principal = name === undefined ? anonymous : new Principal(userType, name)
    this.#refusal =
      subject !== undefined && name === undefined
        ? `no rule of ssl.principal.mapping.rules applies to ${subject}`
        : undefined
  }

  serve(frame: Buffer, requests: RequestServer): Reply | Promise<Reply> {
    if (this.#refusal !== undefined) throw new ProtocolError(this.#refusal)
    return requests.serve(frame)
  }
}
