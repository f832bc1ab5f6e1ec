/** How the JVM of a node is told to go about its work, where KAFKA_JVM_PERFORMANCE_OPTS does not say it. */

/** What kafka-run-class.sh passes. */
export const performanceOptions =
  '-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent'

/** Compile little, and collect garbage simply: what makes a JVM start fast, and never as fast as it could be. For what ends soon. */
export const quickOptions = '-XX:+UseSerialGC -XX:TieredStopAtLevel=1'
