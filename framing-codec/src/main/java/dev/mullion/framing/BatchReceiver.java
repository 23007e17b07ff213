package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/** Receives what a {@link BatchDecoder} finds, in the thread that adds the bytes. */
public interface BatchReceiver {
  /** Takes the complete frames of a buffer. The batch is valid until this method returns. */
  void frames(FrameBatch batch);

  /** Takes a part of a long frame. It is valid until this method returns. */
  void part(FramePart part);

  /** Takes an error. {@link BatchDecoder#isFailed} tells whether it is final. */
  void failed(FramingException error);

  /**
   * Notes the end of a frame that was too large, and was skipped. By default this does nothing.
   */
  default void skipped() {}

  /** Takes over bytes that were not decoded because the decoder was stopped. */
  void rest(ByteBuf bytes);

  /** Returns the address for error messages, or {@code null} for none. */
  @Nullable
  SocketAddress peer();
}
