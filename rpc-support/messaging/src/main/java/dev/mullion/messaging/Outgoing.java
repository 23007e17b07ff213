package dev.mullion.messaging;

import java.util.Map;

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
    Message<? extends T> observed = observers.sending(address, message);
    if (observed != message) {
      check(observed);
    }
    byte[] payload = codec.encode(observed.payload());
    if (payload == null) {
      throw new NullPointerException(
          "the codec of " + kind + " " + address + " encoded a payload as null");
    }
    Message<byte[]> encoded = observed.encoded(payload, codec);
    checkSize(kind, address, encoded);
    return encoded;
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
