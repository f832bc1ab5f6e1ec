/** Which release of Apache Kafka is meant where none is named. */

/** FAULTLINE_KAFKA_VERSION picks another one. */
export const kafkaVersion = process.env['FAULTLINE_KAFKA_VERSION'] ?? '4.3.1'
