/** Decides whether a client may do something to a resource (KIP-11; KIP-679 for rights on any resource of a type). */
import type { Principal } from '../../net/principal.ts'
import type { AclBinding, AclOperation, ResourceType } from './acl.ts'

/** Who asks, and the address it comes from. */
export interface Subject {
  readonly principal: Principal
  readonly clientHost: string
}

/** Told why it is asked, an authorizer can write its audit log; `filter` questions only find out what there is to show. */
export type Purpose = 'access' | 'filter'

/** Asked before it knows its entries, by someone it could not answer without them. */
export class AuthorizerNotReadyError extends Error {
  constructor() {
    super('The authorizer has not yet loaded its access control entries.')
    this.name = 'AuthorizerNotReadyError'
  }
}

export interface Authorizer {
  /** False: only super users get answers, everyone else an AuthorizerNotReadyError. */
  readonly isLoaded: boolean
  readonly whenLoaded: Promise<void>
  /** Entries it decides by. */
  readonly acls: Iterable<AclBinding>
  authorize(
    subject: Subject,
    operation: AclOperation,
    resourceType: ResourceType,
    name: string,
    purpose: Purpose,
  ): boolean
  /** Whether there is at least one resource of the type on which the subject has the right. */
  authorizeByResourceType(subject: Subject, operation: AclOperation, resourceType: ResourceType): boolean
}
