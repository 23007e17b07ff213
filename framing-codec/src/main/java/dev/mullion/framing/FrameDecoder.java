package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Decodes frames from bytes that are pushed into it, and never blocks. It is for code that has its
 * own transport. In a Netty pipeline, use {@link LengthDelimitedCodec}; for blocking streams, use
 * {@link FrameReader}.
 *
 * <pre>{@code
 *  add(bytes) ---> +--------------+ ---> next(): a frame, or null: more bytes are needed
 *  end()      ---> | FrameDecoder |
 *                  +--------------+
 * }</pre>
 *
 * <pre>{@code
 * decoder.add(bytes);
 * byte[] frame;
 * while ((frame = decoder.next()) != null) {
 *   handle(frame);
 * }
 * }</pre>
 *
 * <p>Each frame is a new array. Its bytes are copied once, when the frame is complete. Until then
 * memory grows with the bytes received, never with an announced length: it is at most twice the
 * bytes received plus 4 KiB. There is one exception: a buffer that is added to an empty decoder is
 * kept unchanged, with its whole capacity, until more bytes are added or {@link #next} returns
 * {@code null}.
 *
 * <p>After a {@link FrameTooLargeException} the decoder skips the rest of that frame as it arrives,
 * and continues after it. A {@link CorruptFrameException} or a {@link TruncatedFrameException} is
 * final: the buffered bytes are released, bytes added later are discarded, and every later call of
 * {@link #next} throws the same exception.
 *
 * <p>{@link #next} does not read any byte after the frame that it returns, so {@link
 * #format(FrameFormat)} can change the format between any two frames. Not safe for use by several
 * threads at a time.
 */
public final class FrameDecoder implements AutoCloseable {
  private final FrameCounters counters;
  private final @Nullable SocketAddress peer;
  private final ByteQueue held = new ByteQueue();

  private FrameFormat format;
  private FormatGeometry geometry;
  private FrameScanner scanner;

  /** The number of bytes that are needed to inspect the next frame's header again. */
  private int needed;

  /** The length of the next frame, or 0 until its header is complete. */
  private int wireLength;

  private long toSkip;

  /** The scanner that found the frame being skipped; the format may have changed since then. */
  private FrameScanner skippedBy;

  private boolean ended;
  private boolean closed;
  private @Nullable FramingException failure;

  /** Frames and bytes that have not been added to the counters yet. */
  private long frames;

  private long bytes;

  private FrameDecoder(FrameFormat format, FrameCounters counters, @Nullable SocketAddress peer) {
    this.counters = counters;
    this.peer = peer;
    this.format = format;
    geometry = format.geometry();
    scanner = new FrameScanner(format);
    skippedBy = scanner;
    frameBegins();
  }

  /** Returns a decoder without counters and peer address. */
  public static FrameDecoder of(FrameFormat format) {
    return of(format, new FrameCounters(), null);
  }

  /**
   * Returns a decoder.
   *
   * @param counters the counters of its frames, which may be shared; they are updated when bytes
   *     are added and when {@link #next} returns {@code null}
   * @param peer the address for error messages, or {@code null} for none
   */
  public static FrameDecoder of(
      FrameFormat format, FrameCounters counters, @Nullable SocketAddress peer) {
    requireNonNull(format, "format");
    return new FrameDecoder(format, requireNonNull(counters, "counters"), peer);
  }

  /** Returns the format of the next frame. */
  public FrameFormat format() {
    return format;
  }

  /**
   * Changes the format of the next frame and all later ones. Buffered bytes are decoded with the
   * new format, even if they looked like part of a frame before. A frame that is being skipped is
   * still skipped.
   */
  public void format(FrameFormat format) {
    this.format = requireNonNull(format, "format");
    geometry = format.geometry();
    scanner = new FrameScanner(format, scanner.frames());
    frameBegins();
  }

  /**
   * Adds received bytes. The decoder takes ownership of the buffer and will release it, even if
   * this method fails.
   *
   * @throws IllegalStateException if {@link #end} or {@link #close} has been called
   */
  public void add(ByteBuf bytes) {
    requireNonNull(bytes, "bytes");
    if (closed || ended) {
      bytes.release();
      throw new IllegalStateException(
          closed ? "decoder is closed" : "decoder has ended: end() was called");
    }
    report();
    long discarded = Math.min(failure == null ? toSkip : Long.MAX_VALUE, bytes.readableBytes());
    if (discarded > 0) {
      bytes.skipBytes((int) discarded);
      toSkip = Math.max(0, toSkip - discarded);
      counters.bytesDiscarded.add(discarded);
    }
    try {
      held.add(bytes, expected());
    } catch (RuntimeException | Error e) {
      // Bytes are lost, so no later byte can be trusted.
      close();
      throw e;
    }
  }

  /** Marks the end of the stream: no more bytes will be added. */
  public void end() {
    ended = true;
  }

  /**
   * Removes and returns the next frame.
   *
   * @return the delivered bytes, or {@code null} if more bytes are needed or, after {@link #end},
   *     no frames are left
   * @throws FrameTooLargeException if the payload is too long; the next call continues after the
   *     frame
   * @throws CorruptFrameException if the stream is out of sync
   * @throws TruncatedFrameException if the stream ended inside a frame
   * @throws IllegalStateException if this decoder is closed
   */
  public byte @Nullable [] next() throws FramingException {
    if (failure != null) {
      throw failure;
    }
    checkOpen();
    if (wireLength == 0 && held.size() >= needed) {
      inspect();
    }
    if (wireLength > 0 && held.size() >= wireLength) {
      return take();
    }
    report();
    if (ended) {
      checkEnd();
    }
    held.tighten(expected());
    return null;
  }

  /**
   * Returns whether bytes of a frame that {@link #next} has not returned have been added. After
   * {@link #next} returned {@code null}, that frame is incomplete. A frame that is being skipped
   * counts too.
   */
  public boolean isInsideFrame() {
    return held.size() > 0 || toSkip > 0;
  }

  /** Returns the number of buffered bytes: those added and not part of a returned frame. */
  public int bufferedBytes() {
    return (int) Math.min(held.size(), Integer.MAX_VALUE);
  }

  /** Returns the memory of these bytes: the whole capacity of the buffers that contain them. */
  public long bufferedMemory() {
    return held.held();
  }

  /**
   * Removes and returns all buffered bytes, for code that takes over the stream. The caller must
   * release them.
   *
   * @throws IllegalStateException if this decoder is closed
   */
  public ByteBuf takeBuffered() {
    checkOpen();
    report();
    frameBegins();
    return held.takeAll();
  }

  /** Releases the buffered bytes; a second call does nothing. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      toSkip = 0;
      discardAll();
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("decoder is closed");
    }
  }

  private void frameBegins() {
    wireLength = 0;
    needed = geometry.offset + geometry.encoding.minWidth();
  }

  /** The number of bytes that will be buffered when the next frame is complete, as far as known. */
  private int expected() {
    return wireLength > 0 ? wireLength : geometry.maxHeaderLength;
  }

  private void inspect() throws FramingException {
    int length = (int) Math.min(held.size(), geometry.maxHeaderLength);
    ByteBuffer header = held.view(0, length);
    switch (scanner.inspect(header, header.position(), header.limit())) {
      case FRAME -> wireLength = scanner.wireLength();
      case PART_OF_HEADER -> needed = Math.max(geometry.headerLength, length + 1);
      case TOO_LARGE -> throw tooLarge();
      case CORRUPT -> throw corrupt();
    }
  }

  private byte[] take() throws FramingException {
    int trailer = geometry.trailer.length;
    if (trailer > 0) {
      ByteBuffer end = held.view(wireLength - trailer, trailer);
      if (!scanner.trailerIsGood(end, end.position())) {
        throw corrupt();
      }
    }
    byte[] frame = new byte[scanner.deliveredLength()];
    held.skip(scanner.deliveredOffset());
    held.read(frame);
    held.skip(trailer);
    scanner.passedOne();
    frames++;
    bytes += wireLength;
    frameBegins();
    return frame;
  }

  private FrameTooLargeException tooLarge() {
    FrameTooLargeException error = scanner.tooLarge(peer);
    long length = scanner.tooLargeWireLength();
    scanner.passedOne();
    skippedBy = scanner;
    frameBegins();
    long came = Math.min(length, held.size());
    held.skip(came);
    toSkip = length - came;
    counters.framesTooLarge.increment();
    counters.bytesDiscarded.add(came);
    report();
    return error;
  }

  private CorruptFrameException corrupt() {
    CorruptFrameException error = scanner.corrupt(peer);
    counters.framesCorrupt.increment();
    return fail(error);
  }

  private void checkEnd() throws TruncatedFrameException {
    long came = held.size();
    if (came == 0 && toSkip == 0) {
      return;
    }
    counters.framesTruncated.increment();
    if (toSkip > 0) {
      throw fail(skippedBy.cutInSkipped(toSkip, peer));
    }
    throw fail(
        wireLength == 0
            ? scanner.cutInHeader(came, peer)
            : scanner.cutBehindHeader(came - scanner.headerLength(), peer));
  }

  private <E extends FramingException> E fail(E error) {
    failure = error;
    toSkip = 0;
    discardAll();
    return error;
  }

  private void discardAll() {
    counters.bytesDiscarded.add(held.size());
    held.release();
    report();
  }

  private void report() {
    if (frames > 0) {
      counters.framesDecoded.add(frames);
      counters.bytesDecoded.add(bytes);
      frames = 0;
      bytes = 0;
    }
  }
}
