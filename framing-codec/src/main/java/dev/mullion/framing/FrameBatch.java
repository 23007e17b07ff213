package dev.mullion.framing;

import static java.util.Objects.checkIndex;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.FastThreadLocal;

/**
 * All complete frames of one read, as positions in one buffer. A {@link BatchDecoder} passes it to
 * its receiver. A {@link LengthDelimitedCodec} that was built with {@link
 * LengthDelimitedCodec.Builder#batches} fires it instead of a buffer for each frame.
 *
 * <pre>{@code
 * public void channelRead(ChannelHandlerContext ctx, Object msg) {
 *   FrameBatch batch = (FrameBatch) msg;
 *   ByteBuf buffer = batch.buffer();
 *   for (int i = 0; i < batch.size(); i++) {
 *     sum += buffer.getLong(batch.offset(i));
 *   }
 * }
 * }</pre>
 *
 * <p>Codec and decoder own the batch and its buffer. They are valid until the method that gets them
 * returns, and only in that thread; do not release them. To keep frames longer, use {@link #bytes},
 * {@link #retainedFrame} or {@link #encoded}. A frame that arrives in several reads is a batch of
 * its own; if it is longer than 256 KiB on the wire, its buffer may be a composite buffer.
 */
public final class FrameBatch {
  private static final FastThreadLocal<FrameBatch> UNUSED = new FastThreadLocal<>();

  private final FrameRun run = new FrameRun();
  private ByteBuf buffer = Unpooled.EMPTY_BUFFER;
  private int wireStart;
  private int wireEnd;
  private int shift;
  private int trailer;

  private FrameBatch() {}

  /** Takes the calling thread's batch, or a new one if a caller of this method uses that one. */
  static FrameBatch acquire() {
    FrameBatch batch = UNUSED.getIfExists();
    if (batch == null) {
      return new FrameBatch();
    }
    UNUSED.set(null);
    return batch;
  }

  void recycle() {
    run.clear();
    buffer = Unpooled.EMPTY_BUFFER;
    UNUSED.set(this);
  }

  FrameRun run() {
    return run;
  }

  /**
   * Sets the positions of the frames of the run.
   *
   * @param shift the number to subtract from a position of the run to get an index of the buffer
   * @param trailer how many bytes follow each payload
   */
  void setBounds(ByteBuf buffer, int wireStart, int wireEnd, int shift, int trailer) {
    this.buffer = buffer;
    this.wireStart = wireStart;
    this.wireEnd = wireEnd;
    this.shift = shift;
    this.trailer = trailer;
  }

  /** Returns the number of frames, at least 1. */
  public int size() {
    return run.size();
  }

  /**
   * Returns the buffer that contains the frames. Read it by index, and do not release it. The bytes
   * of the frames may be modified in place before they are sent or copied.
   */
  public ByteBuf buffer() {
    return buffer;
  }

  /** Returns the index in {@link #buffer()} of a frame's first delivered byte. */
  public int offset(int frame) {
    checkIndex(frame, run.size());
    return run.offset(frame) - shift;
  }

  /** Returns the number of delivered bytes of a frame. */
  public int length(int frame) {
    checkIndex(frame, run.size());
    return run.length(frame);
  }

  /** Returns a frame as a buffer of its own, which the caller releases. */
  public ByteBuf retainedFrame(int frame) {
    return buffer.retainedSlice(offset(frame), length(frame));
  }

  /** Returns a copy of a frame. */
  public byte[] bytes(int frame) {
    byte[] copy = new byte[length(frame)];
    buffer.getBytes(offset(frame), copy);
    return copy;
  }

  /**
   * Ends the batch after a frame. The frames after it are removed from the batch; their bytes are
   * decoded again when the batch has been handled, in the format that then applies. Call it when a
   * frame announces that a different format follows.
   */
  public void endAfter(int frame) {
    wireEnd = offset(frame) + length(frame) + trailer;
    run.shorten(frame + 1);
  }

  /** Returns the index in {@link #buffer()} of the first byte on the wire of the first frame. */
  public int wireOffset() {
    return wireStart;
  }

  /** Returns the number of bytes of all frames on the wire; the frames are contiguous. */
  public int wireLength() {
    return wireEnd - wireStart;
  }

  /**
   * Returns all frames as they were received, without a copy. The caller must write or release
   * them.
   */
  public EncodedFrames encoded() {
    return new EncodedFrames(buffer.retainedSlice(wireStart, wireEnd - wireStart), size());
  }
}
