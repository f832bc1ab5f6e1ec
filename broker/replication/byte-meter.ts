/**
 * Counts the bytes that were appended to and committed in one partition, so that a parked fetch with fetch.min.bytes above 1 knows when
 * enough is there without reading the log each time. An estimate that decides only *when* a fetch is answered, never what it gets.
 */
export class ByteMeter {
  /** Bytes appended since the start of this process. */
  appendedBytes = 0
  /** Of these, bytes below the high watermark. */
  committedBytes = 0
  private readonly endOffsets: number[] = []
  private readonly bytesAtEnd: number[] = []
  private head = 0

  appended(endOffset: number, bytes: number): void {
    this.appendedBytes += bytes
    this.endOffsets.push(endOffset)
    this.bytesAtEnd.push(this.appendedBytes)
  }

  committed(highWatermark: number): void {
    let { head } = this
    const { endOffsets, bytesAtEnd } = this
    while (head < endOffsets.length && (endOffsets[head] ?? 0) <= highWatermark) {
      this.committedBytes = bytesAtEnd[head] ?? this.committedBytes
      head += 1
    }
    this.head = head
    if (head === endOffsets.length) this.clear()
    else if (head > 1024 && head * 2 > endOffsets.length) {
      endOffsets.splice(0, head)
      bytesAtEnd.splice(0, head)
      this.head = 0
    }
  }

  /** After a truncation what was counted above the cut is void. */
  truncated(): void {
    this.committedBytes = this.appendedBytes
    this.clear()
  }

  private clear(): void {
    this.endOffsets.length = 0
    this.bytesAtEnd.length = 0
    this.head = 0
  }
}
