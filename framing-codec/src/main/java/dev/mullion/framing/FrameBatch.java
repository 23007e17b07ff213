package dev.mullion.framing;

import static java.util.Objects.checkIndex;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.FastThreadLocal;

/**
 * All the complete frames of one read, as positions in one buffer: what a {@link
 * LengthDelimitedCodec} fires in place of a buffer for each frame when it was built with {@link
 * LengthDelimitedCodec.Builder#batches}.
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
 * <p>The batch and its buffer belong to the codec and are valid until {@code channelRead}, or the
 * method of a {@link dev.mullion.framing.tcp.BatchHandler}, returns, in that thread only; nothing
 * has to be released. What must live longer is taken with {@link #bytes}, {@link #retainedFrame} or
 * {@link #encoded}. A frame that came in several reads is a batch of its own, and a long one may
 * lie in a composite buffer.
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

  /** Takes the calling thread's batch, or a new one if that is in use further down the stack. */
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
   * Says where the frames of the run are.
   *
   * @param shift what to take from a position of the run to have an index of the buffer
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
   * Returns the buffer in which the frames lie. Read it by index; it is not to be released. The
   * bytes of the frames may be changed in place, before they are sent or copied.
   */
  public ByteBuf buffer() {
    return buffer;
  }

  /** Returns the index in {@link #buffer()} of a frame's first delivered byte. */
  public int offset(int frame) {
    checkIndex(frame, run.size());
    return run.offset(frame) - shift;
  }

  /** Returns how many bytes of a frame are delivered. */
  public int length(int frame) {
    checkIndex(frame, run.size());
    return run.length(frame);
  }

  /** Returns a frame as a buffer of its own, which the caller releases. */
  public ByteBuf retainedFrame(int frame) {
    return buffer.retainedSlice(offset(frame), length(frame));
  }

  /** Returns a copy of a frame, the caller's own. */
  public byte[] bytes(int frame) {
    byte[] copy = new byte[length(frame)];
    buffer.getBytes(offset(frame), copy);
    return copy;
  }

  /**
   * Ends the batch behind a frame. Those that follow are not in it any more: their bytes are
   * decoded when the batch has been handled, by the codec that has then taken the place of the
   * present one. It is for a handler that has met the frame behind which another format begins.
   */
  public void endAfter(int frame) {
    wireEnd = offset(frame) + length(frame) + trailer;
    run.shorten(frame + 1);
  }

  /** Returns the index in {@link #buffer()} of the first byte on the wire of the first frame. */
  public int wireOffset() {
    return wireStart;
  }

  /** Returns how many bytes all the frames have on the wire; they lie one behind the other. */
  public int wireLength() {
    return wireEnd - wireStart;
  }

  /**
   * Returns all the frames as they came, to be written or released by the caller; no byte is
   * copied.
   */
  public EncodedFrames encoded() {
    return new EncodedFrames(buffer.retainedSlice(wireStart, wireEnd - wireStart), size());
  }
}
