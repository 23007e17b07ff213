package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The codec of objects as JSON, by Jackson. It needs {@code
 * com.fasterxml.jackson.core:jackson-databind} on the class path.
 *
 * <pre>{@code
 * record Order(String id, long cents) {}
 *
 * Topic<Order> orders = Topic.of("orders", JsonCodec.of(Order.class));
 * }</pre>
 *
 * @param <T> the objects' type
 */
public final class JsonCodec<T> implements MessageCodec<T> {
  private final Class<T> type;
  private final ObjectReader reader;
  private final ObjectWriter writer;

  private JsonCodec(Class<T> type, ObjectMapper mapper) {
    this.type = type;
    this.reader = mapper.readerFor(type).with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    this.writer = mapper.writerFor(type);
  }

  /**
   * Returns the codec of one type, with the Jackson modules on the class path. Unknown properties
   * are ignored, so that senders may add some before receivers know them.
   *
   * @throws IllegalStateException if Jackson is missing
   */
  public static <T> JsonCodec<T> of(Class<T> type) {
    checkPresent();
    return of(
        type,
        JsonMapper.builder()
            .findAndAddModules()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build());
  }

  /**
   * Returns the codec of one type with a mapper's settings as they are now.
   *
   * @throws IllegalStateException if Jackson is missing
   */
  @SuppressWarnings("exports") // Only users of Jackson load this class.
  public static <T> JsonCodec<T> of(Class<T> type, ObjectMapper mapper) {
    checkPresent();
    return new JsonCodec<>(requireNonNull(type, "type"), requireNonNull(mapper, "mapper"));
  }

  private static void checkPresent() {
    OptionalLibrary.check(
        "JsonCodec",
        "com.fasterxml.jackson.databind.ObjectMapper",
        "com.fasterxml.jackson.core:jackson-databind",
        "com.fasterxml.jackson.databind");
  }

  @Override
  public byte[] encode(T payload) {
    try {
      return writer.writeValueAsBytes(payload);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "payload of class " + payload.getClass().getName() + " cannot be written as JSON: "
              + reason(e),
          e);
    }
  }

  @Override
  public T decode(byte[] payload, String contentType) throws UndecodableMessageException {
    T value;
    try {
      value = reader.readValue(payload);
    } catch (IOException e) {
      throw undecodable(payload, reason(e), e);
    }
    if (value == null) {
      throw undecodable(payload, "it is null", null);
    }
    return value;
  }

  /** Catching Jackson's own exceptions would load them with this class. */
  private static String reason(IOException error) {
    return error instanceof JsonProcessingException json
        ? json.getOriginalMessage()
        : String.valueOf(error.getMessage());
  }

  private UndecodableMessageException undecodable(
      byte[] payload, String reason, @Nullable Throwable cause) {
    return new UndecodableMessageException(
        "payload of " + payload.length + " bytes is not JSON of a " + type.getSimpleName() + ": "
            + reason,
        cause);
  }

  @Override
  public String contentType() {
    return "application/json";
  }
}
