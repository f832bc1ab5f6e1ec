import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** What is in the logs of topics: every codec, headers, nulls, timestamps, segments, a log start above 0, compaction, sequences. */
final class InterchangeRecords {
    static final int PER_CODEC = 200;
    /** Not so old that logs or producers would be forgotten for it. */
    private static final long FIRST_TIMESTAMP = System.currentTimeMillis() - 3_600_000;
    private static final int LARGE = 50_000;

    private final InterchangeClients clients;
    private KafkaProducer<String, String> idempotent;
    private long idempotentRecords;

    InterchangeRecords(InterchangeClients clients) {
        this.clients = clients;
    }

    void writeWithEachCodec(int stage) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            List<ProducerRecord<String, String>> records = new ArrayList<>();
            for (int index = 0; index < PER_CODEC; index++) {
                String value = index % 11 == 0 ? null : codec + " value " + index + " of stage " + stage + " ä€𝄞".repeat(index % 5);
                List<Header> headers = index % 3 > 0 ? List.of() : List.of(
                    new RecordHeader("codec", InterchangeClients.bytes(codec)), new RecordHeader("codec", null), new RecordHeader("", new byte[index]));
                records.add(new ProducerRecord<>("codecs", index % 6, FIRST_TIMESTAMP + stage * 100_000L - index,
                    index % 7 == 0 ? null : codec + index % 20, value, headers));
            }
            write(Map.of("compression.type", codec, "linger.ms", "50"), records);
        }
        List<ProducerRecord<String, String>> stamped = new ArrayList<>();
        for (int index = 0; index < 40; index++) stamped.add(new ProducerRecord<>("append-time", 0, 7L, "key", "stage " + stage + " " + index));
        write(Map.of("enable.idempotence", "false"), stamped);
    }

    /** Three MB into segments of one, then all but the last 25 records deleted. */
    void writeAndDeleteSegments(int stage) throws Exception {
        Random random = new Random(stage);
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        for (int index = 0; index < 60; index++) records.add(new ProducerRecord<>("segments", 0, "stage " + stage, text(random, LARGE)));
        write(Map.of(), records);
        TopicPartition at = new TopicPartition("segments", 0);
        ListOffsetsResultInfo end = clients.admin.listOffsets(Map.of(at, OffsetSpec.latest())).partitionResult(at).get();
        clients.admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(end.offset() - 25))).all().get();
    }

    /**
     * Keys several times over several segments; the first of them end with a tombstone. Before those, more than a segment of keys that come
     * once, but for the last ones: compaction takes the end of the segment in which they came first, so that the next begins after a gap.
     */
    void writeCompacted(int stage) throws Exception {
        Random random = new Random(stage);
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        for (int index = 0; index < 200; index++)
            records.add(new ProducerRecord<>("compacted", 0, "once " + (index < 150 ? index : index - 100), text(random, 10_000)));
        for (int round = 0; round < 8; round++)
            for (int key = 0; key < 40; key++)
                records.add(new ProducerRecord<>("compacted", key % 2, "key " + key, round == 7 && key < 4 + stage ? null : text(random, 10_000)));
        write(Map.of("compression.type", stage % 2 == 0 ? "lz4" : "none"), records);
    }

    /** Waits until the cleaner has been there. */
    void awaitCompaction(int stage) throws Exception {
        InterchangeClients.until("fewer records than were written", 150_000, () -> clients.committed("compacted", 0).size() < stage * (200 + 160) - 100);
    }

    private static String text(Random random, int length) {
        StringBuilder text = new StringBuilder(length);
        while (text.length() < length) text.append((char) (' ' + random.nextInt(95)));
        return text.toString();
    }

    private void write(Map<String, Object> settings, List<ProducerRecord<String, String>> records) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = clients.producer(settings)) {
            for (ProducerRecord<String, String> each : records) sent.add(producer.send(each));
        }
        for (Future<RecordMetadata> each : sent) each.get();
    }

    /** One producer through all stages: its sequences go on, and nobody else writes there, so that each offset is known. */
    void writeIdempotently(int stage) throws Exception {
        if (idempotent == null) idempotent = clients.producer(Map.of("enable.idempotence", "true"));
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int index = 0; index < 100; index++) sent.add(idempotent.send(new ProducerRecord<>("idempotent", 0, "key", "value " + (idempotentRecords + index))));
        for (Future<RecordMetadata> each : sent) {
            long offset = each.get().offset();
            InterchangeClients.expect(offset == idempotentRecords, "record " + idempotentRecords + " at its offset, got " + offset);
            idempotentRecords++;
        }
    }
}
