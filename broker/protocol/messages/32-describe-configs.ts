/**
 * DescribeConfigs, API key 32, v1-4.
 *
 * Settings of topics, brokers, groups and client metrics.
 *
 * Versions: v1 where a value comes from (KIP-226); v3 type and documentation (KIP-569); v4 flexible.
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
      /** Null asks for all. */
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
    /** How long the client was, or should be, held back for a quota, ms. */
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
        /** 1 topic, 2 broker (dynamic), 3 default of all brokers (dynamic), 4 static file, 5 default, 8 group. */
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
