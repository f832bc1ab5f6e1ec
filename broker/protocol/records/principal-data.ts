/**
 * Principal.
 */
import { bool, message, string, type Infer } from '../schema.ts'

export const defaultPrincipalData = message({
  name: 'DefaultPrincipalData',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    type: string(),
    name: string(),
    tokenAuthenticated: bool(),
  },
})
export type DefaultPrincipalData = Infer<typeof defaultPrincipalData>
