package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.io.IOException;

/**
 * The codec of protobuf messages. It needs {@code com.google.protobuf:protobuf-java}, or its lite
 * form, on the class path.
 *
 * <pre>{@code
 * Topic<Timestamp> ticks =
 *     Topic.of("ticks", ProtobufCodec.of(Timestamp.getDefaultInstance()));
 * }</pre>
 *
 * @param <T> the message's type
 */
@SuppressWarnings("exports") // Only users of protobuf load this class.
public final class ProtobufCodec<T extends MessageLite> implements MessageCodec<T> {
  private final Parser<T> parser;
  private final String name;

  private ProtobufCodec(Parser<T> parser, String name) {
    this.parser = parser;
    this.name = name;
  }

  /**
   * Returns the codec of the messages of one type.
   *
   * @throws IllegalStateException if protobuf is missing
   */
  @SuppressWarnings("unchecked") // A message's parser returns messages of its own type.
  public static <T extends MessageLite> ProtobufCodec<T> of(T defaultInstance) {
    OptionalLibrary.check(
        "ProtobufCodec",
        "com.google.protobuf.MessageLite",
        "com.google.protobuf:protobuf-java",
        "com.google.protobuf");
    requireNonNull(defaultInstance, "defaultInstance");
    return new ProtobufCodec<>(
        (Parser<T>) defaultInstance.getParserForType(),
        defaultInstance.getClass().getSimpleName());
  }

  @Override
  public byte[] encode(T payload) {
    return payload.toByteArray();
  }

  @Override
  public T decode(byte[] payload, String contentType) throws UndecodableMessageException {
    try {
      return parser.parseFrom(payload);
    } catch (IOException e) { // named by its super type, so that this class loads without protobuf
      throw new UndecodableMessageException(
          "payload of " + payload.length + " bytes is not a valid " + name + ": " + e.getMessage(),
          e);
    }
  }

  @Override
  public String contentType() {
    return "application/x-protobuf";
  }
}
