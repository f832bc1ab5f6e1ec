/**
 * DescribeConfigs, API key 32, v1-4.
 */
import { array, bool, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const describeConfigsRequest = message({
  key: 32,
  name: 'DescribeConfigsRequest',
  kind: 'request',
  versions: '1-4',
  flexible: '4+',
  fields: {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configurationKeys: array({ nullable: '0+' }, string()),
    }),
    includeSynonyms: bool({ default: false }),
    includeDocumentation: bool({ versions: '3+', default: false }),
  },
})
export type DescribeConfigsRequest = Infer<typeof describeConfigsRequest>

export const describeConfigsResponse = message({
  key: 32,
  name: 'DescribeConfigsResponse',
  kind: 'response',
  versions: '1-4',
  flexible: '4+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullable: '0+' }),
        readOnly: bool(),
        configSource: int8({ default: -1 }),
        isSensitive: bool(),
        synonyms: array({
          name: string(),
          value: string({ nullable: '0+' }),
          source: int8(),
        }),
        configType: int8({ versions: '3+', default: 0, ignorable: true }),
        documentation: string({ versions: '3+', nullable: '0+', ignorable: true }),
      }),
    }),
  },
})
export type DescribeConfigsResponse = Infer<typeof describeConfigsResponse>
