package dev.mullion.messaging;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Codecs that need no library. */
public final class Codecs {
  private Codecs() {}

  /** Returns the codec of bytes, which are passed on as they are and not copied. */
  public static MessageCodec<byte[]> bytes() {
    return Bytes.INSTANCE;
  }

  /** Returns the codec of text in UTF-8; malformed bytes and lone surrogates are errors. */
  public static MessageCodec<String> utf8() {
    return Utf8.INSTANCE;
  }

  private enum Bytes implements MessageCodec<byte[]> {
    INSTANCE;

    @Override
    public byte[] encode(byte[] payload) {
      return payload;
    }

    @Override
    public byte[] decode(byte[] payload, String contentType) {
      return payload;
    }

    @Override
    public String contentType() {
      return "application/octet-stream";
    }
  }

  private enum Utf8 implements MessageCodec<String> {
    INSTANCE;

    @Override
    public byte[] encode(String payload) {
      try {
        ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(payload));
        byte[] bytes = new byte[encoded.remaining()];
        encoded.get(bytes);
        return bytes;
      } catch (CharacterCodingException e) {
        throw new IllegalArgumentException(
            "payload of " + payload.length() + " characters has a lone surrogate", e);
      }
    }

    @Override
    public String decode(byte[] payload, String contentType) throws UndecodableMessageException {
      try {
        return StandardCharsets.UTF_8
            .newDecoder()
            .decode(ByteBuffer.wrap(payload))
            .toString();
      } catch (CharacterCodingException e) {
        throw new UndecodableMessageException(
            "payload of " + payload.length + " bytes is not UTF-8", e);
      }
    }

    @Override
    public String contentType() {
      return "text/plain; charset=utf-8";
    }
  }
}
