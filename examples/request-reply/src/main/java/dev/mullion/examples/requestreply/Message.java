package dev.mullion.examples.requestreply;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.FrameFormat;
import java.nio.ByteBuffer;

/**
 * A request or a reply. Server and client share this class: the header is described here once.
 *
 * <pre>{@code
 * +---------------+-----------------+--------------------------+-----------------+-----------+
 * | magic, "KV"   | type, 1 byte    | correlation id, 4 bytes  | length, 4 bytes | text      |
 * +---------------+-----------------+--------------------------+-----------------+-----------+
 *  the format's,   in the frame: read and written here           the format's      in the frame
 *  stripped                                                      own, kept
 * }</pre>
 *
 * @param id chosen by the client for each request; the reply has the same
 */
record Message(byte type, int id, String text) {
  static final byte GET = 1;
  static final byte PUT = 2;

  static final byte OK = 0x40;
  static final byte VALUE = 0x41;
  static final byte NOT_FOUND = 0x42;
  static final byte ERROR = 0x7F;

  /** Strips the magic; the eleven bytes of the header but those two are part of each frame. */
  static final FrameFormat FORMAT = FrameFormat.builder()
      .beforeLength((byte) 'K', (byte) 'V')
      .lengthFieldOffset(2 + 1 + 4)
      .lengthFieldLength(4)
      .initialBytesToStrip(2)
      .maxFrameLength(64 * 1024)
      .build();

  private static final int KEPT_HEADER = 1 + 4 + 4;

  Message reply(byte type, String text) {
    return new Message(type, id, text);
  }

  byte[] encode() {
    byte[] bytes = text.getBytes(UTF_8);
    return ByteBuffer.allocate(KEPT_HEADER + bytes.length)
        .put(type)
        .putInt(id)
        .putInt(0) // the length, which whoever writes the frame fills in
        .put(bytes)
        .array();
  }

  /** Decodes the rest of a buffer. The format ensures that it is not shorter than the header. */
  static Message decode(ByteBuffer frame) {
    byte type = frame.get();
    int id = frame.getInt();
    int length = frame.getInt();
    byte[] bytes = new byte[length];
    frame.get(bytes);
    return new Message(type, id, new String(bytes, UTF_8));
  }
}
