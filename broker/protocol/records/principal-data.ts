/**
 * A principal as it travels in an Envelope from broker to controller (KIP-590). An int16 version stands in front.
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
