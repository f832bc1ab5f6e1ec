/** What Maven says of a release that is not there, and of what may work the next time. */
import { expect, test } from 'vitest'
import { saysNoSuchRelease } from '#scripts/cluster/apache-kafka/jars.ts'

const failedGoal =
  '[ERROR] Failed to execute goal on project jars: Could not resolve dependencies for project jars:jars:pom:1: '
const central = 'central (https://maven.example/maven2)'

test.each([
  [
    'the repository says so',
    `Could not find artifact org.apache.kafka:kafka_2.13:jar:3.9.99 in ${central} -> [Help 1]`,
  ],
  [
    'it was said earlier',
    'org.apache.kafka:kafka_2.13:jar:3.9.99 was not found in https://maven.example/maven2 during a previous attempt. This failure was cached in the local repository and resolution is not reattempted until the update interval of central has elapsed or updates are forced -> [Help 1]',
  ],
  [
    'it was said earlier, in the words of Maven 3.6',
    'Failure to find org.apache.kafka:kafka_2.13:jar:3.9.99 in https://maven.example/maven2 was cached in the local repository, resolution will not be reattempted until the update interval of central has elapsed or updates are forced -> [Help 1]',
  ],
])('a release is not there when %s', (_, text) => {
  expect(saysNoSuchRelease(`${failedGoal}${text}`, '3.9.99')).toBe(true)
})

test.each([
  [
    'a network that fails',
    `Failed to collect dependencies at org.apache.kafka:kafka_2.13:jar:3.9.99: Failed to read artifact descriptor for org.apache.kafka:kafka_2.13:jar:3.9.99: Could not transfer artifact org.apache.kafka:kafka_2.13:pom:3.9.99 from/to ${central}: maven.example: Temporary failure in name resolution -> [Help 1]`,
  ],
  [
    'a network that failed earlier',
    'Failure to transfer org.apache.kafka:kafka_2.13:jar:3.9.99 from https://maven.example/maven2 was cached in the local repository, resolution will not be reattempted until the update interval of central has elapsed or updates are forced. Original error: Could not transfer artifact',
  ],
  [
    'another artifact that is not there',
    `Could not find artifact org.scala-lang:scala-library:jar:2.13.99 in ${central}`,
  ],
  ['another release', `Could not find artifact org.apache.kafka:kafka_2.13:jar:3.9.990 in ${central}`],
  [
    'a version with other letters where dots are',
    `Could not find artifact org.apache.kafka:kafka_2.13:jar:3x9x99 in ${central}`,
  ],
])('nothing is concluded from %s', (_, text) => {
  expect(saysNoSuchRelease(`${failedGoal}${text}`, '3.9.99')).toBe(false)
})
