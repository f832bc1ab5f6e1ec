import {
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  logLevel,
} from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { ClientLog, sendError } from '#scripts/workload/kafkajs-client.ts'

const tooFew = 'Messages are rejected since there are fewer in-sync replicas than required'

function attempts(...messages: string[]): ClientLog {
  const log = new ClientLog()
  const write = log.creator(logLevel.ERROR)
  for (const [retryCount, message] of messages.entries()) {
    write({
      namespace: 'Producer',
      level: logLevel.ERROR,
      label: 'ERROR',
      log: { timestamp: '', message: `Failed to send messages: ${message}`, retryCount },
    })
  }
  return log
}

function refusal(code: number, message: string): KafkaJSProtocolError {
  return Object.assign(new KafkaJSProtocolError(message), { code })
}

function exceeded(cause: Error, retryCount: number): Error {
  return new KafkaJSNumberOfRetriesExceeded(cause, { retryCount, retryTime: 100 })
}

describe('what a failed send says', () => {
  test('a refusal that is definite in every attempt is a failure', () => {
    const error = sendError(exceeded(refusal(19, tooFew), 2), attempts(tooFew, tooFew, tooFew))
    expect(error).toMatchObject({ code: 'NOT_ENOUGH_REPLICAS', definite: true })
  })

  test('a definite refusal after an attempt without an answer is unknown: the first may have been written', () => {
    const error = sendError(exceeded(refusal(19, tooFew), 1), attempts('Request Produce timed out', tooFew))
    expect(error).toMatchObject({ code: 'NOT_ENOUGH_REPLICAS', definite: false })
  })

  test('an attempt that kafkajs did not log makes the outcome unknown', () => {
    const log = new ClientLog()
    const write = log.creator(logLevel.ERROR)
    write({
      namespace: 'Producer',
      level: logLevel.ERROR,
      label: 'ERROR',
      log: { timestamp: '', message: tooFew, retryCount: 3 },
    })
    expect(sendError(exceeded(refusal(19, tooFew), 3), log).definite).toBe(false)
  })

  test('NOT_LEADER_OR_FOLLOWER and a timeout are never definite', () => {
    expect(sendError(refusal(6, 'not leader'), attempts('not leader'))).toMatchObject({
      code: 'NOT_LEADER_OR_FOLLOWER',
      definite: false,
    })
    const late = new KafkaJSRequestTimeoutError('Request Produce timed out', {
      broker: 'b',
      clientId: 'c',
      correlationId: 1,
      createdAt: 0,
      sentAt: 0,
      pendingDuration: 1,
    })
    expect(
      sendError(
        Object.assign(new KafkaJSNonRetriableError(late), { cause: late }),
        attempts('Request Produce timed out'),
      ),
    ).toMatchObject({ code: 'KafkaJSRequestTimeoutError', definite: false })
  })

  test('a refusal at the first attempt that is not retried is a failure', () => {
    expect(sendError(refusal(10, 'too large'), attempts('too large'))).toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
      definite: true,
    })
  })

  test('a refusal of what kafkajs does after an attempt without an answer says nothing of that attempt', () => {
    expect(sendError(refusal(34, 'illegal SASL state'), attempts('Request Produce timed out'))).toMatchObject({
      code: 'ILLEGAL_SASL_STATE',
      definite: false,
    })
    // It does not log every attempt.
    expect(sendError(refusal(34, 'illegal SASL state'), attempts()).definite).toBe(false)
  })
})
