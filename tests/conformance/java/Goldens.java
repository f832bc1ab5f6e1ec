import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedWriter;
import java.io.File;
import java.io.OutputStreamWriter;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarFile;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.CompactArrayOf;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.NullableSchema;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * Prints what Apache Kafka's own codecs make of every message in every version, one per line: class, version, bytes as hex, JSON.
 *
 * Values come from walking Kafka's runtime schemas with a random generator whose seed is the line's own name: the bytes made that way are
 * read by the message class and written again, and that second form is the golden one.
 *
 * Arguments: the folder of Kafka's jars, samples per version.
 */
public final class Goldens {
    private static final int CAPACITY = 1 << 20;

    private final Random random;
    /** Sample 0 has nulls, empty arrays and no tagged fields. */
    private final boolean bare;

    private Goldens(Random random, boolean bare) {
        this.random = random;
        this.bare = bare;
    }

    public static void main(String[] args) throws Exception {
        int samples = Integer.parseInt(args[1]);
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 16);
        for (String converter : converters(new File(args[0]))) {
            String name = converter.substring(0, converter.length() - "JsonConverter".length());
            Class<?> type = Class.forName(name);
            Method toJson = Class.forName(converter).getMethod("write", type, short.class);
            Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
            for (short version = 0; version < schemas.length; version++) {
                if (schemas[version] == null) continue;
                for (int sample = 0; sample < samples; sample++) {
                    Random random = new Random((name + version + "/" + sample).hashCode());
                    Message message = make(type, schemas[version], version, new Goldens(random, sample == 0));
                    JsonNode json = (JsonNode) toJson.invoke(null, message, version);
                    out.write(type.getSimpleName() + "\t" + version + "\t" + hex(message, version) + "\t" + json + "\n");
                }
            }
        }
        out.flush();
    }

    private static List<String> converters(File folder) throws Exception {
        TreeSet<String> names = new TreeSet<>();
        for (File jar : folder.listFiles((dir, name) -> name.startsWith("kafka") && name.endsWith(".jar"))) {
            try (JarFile file = new JarFile(jar)) {
                file.stream()
                    .map(entry -> entry.getName())
                    .filter(name -> name.endsWith("JsonConverter.class") && !name.contains("$"))
                    .filter(name -> name.contains("/generated/") || name.contains("/common/message/") || name.contains("/common/metadata/"))
                    .forEach(name -> names.add(name.substring(0, name.length() - ".class".length()).replace('/', '.')));
            }
        }
        return new ArrayList<>(names);
    }

    private static Message make(Class<?> type, Schema schema, short version, Goldens values) throws Exception {
        ByteBuffer bytes = ByteBuffer.allocate(CAPACITY);
        values.struct(bytes, schema);
        bytes.flip();
        Message message = (Message) type.getConstructor().newInstance();
        message.read(new ByteBufferAccessor(bytes), version);
        if (bytes.hasRemaining()) throw new IllegalStateException(type + " v" + version + ": bytes left over");
        return message;
    }

    private static String hex(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer bytes = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(bytes), cache, version);
        return HexFormat.of().formatHex(bytes.array(), 0, bytes.position());
    }

    private void struct(ByteBuffer out, Schema schema) {
        for (BoundField field : schema.fields()) value(out, field.def.type, false);
    }

    private void value(ByteBuffer out, Type type, boolean tagged) {
        if (type instanceof NullableSchema schema) {
            boolean none = absent();
            if (tagged) uvarint(out, none ? 0 : 1);
            else out.put((byte) (none ? -1 : 1));
            if (!none) struct(out, schema);
        } else if (type instanceof Schema schema) {
            struct(out, schema);
        } else if (type instanceof TaggedFields fields) {
            tagged(out, fields);
        } else if (type.isArray()) {
            array(out, type);
        } else {
            primitive(out, type);
        }
    }

    private void array(ByteBuffer out, Type type) {
        boolean compact = type instanceof CompactArrayOf;
        int count = bare ? 0 : random.nextInt(3);
        if (type.isNullable() && absent()) count = -1;
        if (compact) uvarint(out, count + 1);
        else out.putInt(count);
        for (int i = 0; i < count; i++) value(out, type.arrayElementType().get(), false);
    }

    private void tagged(ByteBuffer out, TaggedFields fields) {
        Map<Integer, byte[]> present = new TreeMap<>();
        for (Map.Entry<Integer, Field> field : fields.fields().entrySet()) {
            if (bare || random.nextInt(4) == 0) continue;
            ByteBuffer bytes = ByteBuffer.allocate(CAPACITY);
            value(bytes, field.getValue().type, true);
            byte[] copy = new byte[bytes.position()];
            bytes.flip().get(copy);
            present.put(field.getKey(), copy);
        }
        uvarint(out, present.size());
        present.forEach((tag, bytes) -> {
            uvarint(out, tag);
            uvarint(out, bytes.length);
            out.put(bytes);
        });
    }

    private void primitive(ByteBuffer out, Type type) {
        if (type == Type.BOOLEAN) out.put((byte) random.nextInt(2));
        else if (type == Type.INT8) out.put((byte) random.nextInt());
        else if (type == Type.INT16 || type == Type.UINT16) out.putShort((short) random.nextInt());
        else if (type == Type.INT32 || type == Type.UNSIGNED_INT32) out.putInt(random.nextInt());
        else if (type == Type.INT64) out.putLong(random.nextInt(8) == 0 ? Long.MAX_VALUE : random.nextLong() >> (11 + random.nextInt(50)));
        else if (type == Type.UUID) out.putLong(random.nextLong()).putLong(random.nextLong());
        else if (type == Type.FLOAT64) out.putDouble(random.nextGaussian() * 1000);
        else lengthPrefixed(out, type);
    }

    private void lengthPrefixed(ByteBuffer out, Type type) {
        String name = type.toString();
        boolean text = name.contains("STRING");
        byte[] bytes = text ? text().getBytes(StandardCharsets.UTF_8) : bytes();
        boolean none = type.isNullable() && absent();
        if (name.startsWith("COMPACT")) uvarint(out, none ? 0 : bytes.length + 1);
        else if (text) out.putShort((short) (none ? -1 : bytes.length));
        else out.putInt(none ? -1 : bytes.length);
        if (!none) out.put(bytes);
    }

    private boolean absent() {
        return bare || random.nextInt(5) == 0;
    }

    private String text() {
        int length = bare ? 0 : random.nextInt(8) == 0 ? 100 + random.nextInt(200) : random.nextInt(12);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) text.appendCodePoint(random.nextInt(6) == 0 ? 0x100 + random.nextInt(0x400) : 'a' + random.nextInt(26));
        return text.toString();
    }

    private byte[] bytes() {
        byte[] bytes = new byte[bare ? 0 : random.nextInt(6) == 0 ? 1000 + random.nextInt(3000) : random.nextInt(20)];
        random.nextBytes(bytes);
        return bytes;
    }

    private static void uvarint(ByteBuffer out, int value) {
        while ((value & ~0x7f) != 0) {
            out.put((byte) (value & 0x7f | 0x80));
            value >>>= 7;
        }
        out.put((byte) value);
    }
}
