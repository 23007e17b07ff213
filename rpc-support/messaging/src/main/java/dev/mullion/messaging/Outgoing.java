package dev.mullion.messaging;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What becomes of a message before an engine gets it: observed, encoded, checked. */
final class Outgoing {
  private static final String RESERVED = "mullion-";

  private final Observers observers;
  private final int maxMessageSize;

  Outgoing(Observers observers, int maxMessageSize) {
    this.observers = observers;
    this.maxMessageSize = maxMessageSize;
  }

  /** Checks what the caller has set, which is his error and not that of the message's way. */
  static void check(Message<?> message) {
    if (message.headers().isEmpty()) {
      return;
    }
    for (String name : message.headers().keySet()) {
      if (name.regionMatches(true, 0, RESERVED, 0, RESERVED.length())) {
        throw new IllegalArgumentException("header: \"" + name
            + "\" (expected: not to begin with mullion-, which is reserved for engines)");
      }
    }
  }

  /**
   * Encodes a message on the caller's thread.
   *
   * @param kind topic, queue, subject or signal, for the text
   */
  <T> Message<byte[]> encode(
      String kind, String address, MessageCodec<T> codec, Message<? extends T> message)
      throws MessageTooLargeException {
    return encode(kind, address, codec, message, observers.sending(address, message));
  }

  /** Encodes the reply to a request. */
  <T> Message<byte[]> encodeReply(
      String address, MessageCodec<T> codec, Message<?> request, Message<? extends T> reply)
      throws MessageTooLargeException {
    Message<? extends T> observed = observers.replying(address, request, reply);
    return encode("reply of subject", address, codec, reply, observed);
  }

  private <T> Message<byte[]> encode(
      String kind,
      String address,
      MessageCodec<T> codec,
      Message<? extends T> message,
      Message<? extends T> observed)
      throws MessageTooLargeException {
    if (observed != message) {
      check(observed);
    }
    byte[] payload = bytes(kind, address, codec, observed.payload());
    Message<byte[]> encoded = observed.encoded(payload, codec);
    checkSize(kind, address, encoded);
    return encoded;
  }

  /** Encodes a payload as a new message; only if {@link #isDirect}. */
  <T> Message<byte[]> encodeDirect(String kind, String address, MessageCodec<T> codec, T payload)
      throws MessageTooLargeException {
    byte[] bytes = bytes(kind, address, codec, payload);
    Message<byte[]> encoded = Message.encoded(bytes, codec.contentType());
    checkSize(kind, address, encoded);
    return encoded;
  }

  /** Returns whether nobody sees a message with this payload before it is encoded. */
  boolean isDirect(@Nullable Object payload) {
    return payload != null && !(payload instanceof Message) && observers.areNone();
  }

  private static <T> byte[] bytes(String kind, String address, MessageCodec<T> codec, T payload) {
    byte[] bytes = codec.encode(payload);
    if (bytes == null) {
      throw new NullPointerException(
          "the codec of " + kind + " " + address + " encoded a payload as null");
    }
    return bytes;
  }

  private void checkSize(String kind, String address, Message<byte[]> message)
      throws MessageTooLargeException {
    long payload = message.payload().length;
    if (payload <= maxMessageSize - message.mostBesidePayload()) {
      return; // the common case, without a look at each character
    }
    int generated = message.generatedIdLength();
    long rest = (generated > 0 ? generated : utf8(message.id()))
        + utf8(message.key().orElse(""))
        + utf8(message.contentType().orElse(""))
        + utf8(message.correlationId().orElse(""));
    for (Map.Entry<String, String> header : message.headers().entrySet()) {
      rest += utf8(header.getKey()) + utf8(header.getValue());
    }
    if (payload + rest > maxMessageSize) {
      throw new MessageTooLargeException("message of " + (payload + rest) + " bytes (payload "
          + payload + ", headers and the like " + rest + ") exceeds maxMessageSize "
          + maxMessageSize + " (" + kind + " " + address + ")");
    }
  }

  /** Returns the length in UTF-8. */
  private static long utf8(String text) {
    long length = text.length();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c >= 0x80) {
        // Two bytes, or three; a pair of surrogates has four for its two.
        length += c < 0x800 || Character.isSurrogate(c) ? 1 : 2;
      }
    }
    return length;
  }
}
