package dev.mullion.messaging;

/**
 * Turns payloads into bytes and back. {@link Codecs} has the common ones. What it throws never
 * reaches a handler: a send fails, and a delivery becomes a dead letter or an error to the caller.
 *
 * @param <T> the payload's type
 */
public interface MessageCodec<T> {

  /** Returns the payload's bytes; they must not be changed afterwards. */
  byte[] encode(T payload);

  /**
   * Returns the payload.
   *
   * @param contentType the media type that the sender set; empty if none
   * @throws UndecodableMessageException if the bytes are not valid
   */
  T decode(byte[] payload, String contentType) throws UndecodableMessageException;

  /** Returns the media type of what {@link #encode} returns. */
  String contentType();
}
