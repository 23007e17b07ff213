package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Decodes frames from bytes that are pushed into it, and never waits: for code that has a transport
 * of its own. In a Netty pipeline there is {@link LengthDelimitedCodec}, for blocking streams
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
 * <p>A frame is one new array, and is copied once, when all of it has come. What is held until then
 * grows with the bytes that came, never with a length that was announced: it is at most twice the
 * bytes and 4 KiB. Only a buffer that is added while nothing is held is kept as it came, whatever
 * its capacity, until more is added or {@link #next} returns {@code null}.
 *
 * <p>After a {@link FrameTooLargeException} the decoder skips the rest of that frame as it comes,
 * and goes on behind it. A {@link CorruptFrameException} or a {@link TruncatedFrameException} is
 * final: what is held is released, what is added later is discarded, and every later call of {@link
 * #next} throws it again.
 *
 * <p>{@link #next} looks at no byte behind the frame that it returns, so that {@link
 * #format(FrameFormat)} may change the format between any two frames. Not safe for use by several
 * threads at a time.
 */
public final class FrameDecoder implements AutoCloseable {
  private final FrameCounters counters;
  private final @Nullable SocketAddress peer;
  private final ByteQueue held = new ByteQueue();

  private FrameFormat format;
  private FormatGeometry geometry;
  private FrameScanner scanner;

  /** How many bytes another look at the next frame's header needs. */
  private int needed;

  /** The length of the next frame, or 0 as long as its header has not come. */
  private int wireLength;

  private long toSkip;

  /** The one that found the frame that is skipped; the format may have changed since. */
  private FrameScanner skippedBy;

  private boolean ended;
  private boolean closed;
  private @Nullable FramingException failure;

  /** What the counters have not been told of. */
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

  /** Returns a decoder that is not counted, and does not know its peer. */
  public static FrameDecoder of(FrameFormat format) {
    return of(format, new FrameCounters(), null);
  }

  /**
   * Returns a decoder.
   *
   * @param counters what counts its frames; it may be shared. Frames are added to it when bytes are
   *     added, and when {@link #next} returns none
   * @param peer the address that errors name, or {@code null} for none
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
   * Changes the format, from the next frame on: bytes that wait are decoded with it, also if they
   * looked like part of a frame before. A frame that is being skipped is still skipped.
   */
  public void format(FrameFormat format) {
    this.format = requireNonNull(format, "format");
    geometry = format.geometry();
    scanner = new FrameScanner(format, scanner.frames());
    frameBegins();
  }

  /**
   * Takes over bytes that came, and releases them in time, also if it fails.
   *
   * @throws IllegalStateException if {@link #end} or {@link #close} has been called
   */
  public void add(ByteBuf bytes) {
    requireNonNull(bytes, "bytes");
    if (closed || ended) {
      bytes.release();
      throw new IllegalStateException(
          closed ? "decoder is closed" : "decoder was told that no more bytes come");
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
      // Bytes are lost, so nothing that follows could be trusted.
      close();
      throw e;
    }
  }

  /** Says that no more bytes will come. */
  public void end() {
    ended = true;
  }

  /**
   * Takes the next frame out of the bytes that came.
   *
   * @return the delivered bytes, or {@code null} if more bytes are needed or, after {@link #end},
   *     there are no more frames
   * @throws FrameTooLargeException if the payload is too long; the next call goes on behind it
   * @throws CorruptFrameException if the stream is out of step
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
   * Returns whether bytes have come of a frame that {@link #next} has not returned; if it returned
   * {@code null}, that frame is not complete. A frame that is still being skipped counts too.
   */
  public boolean isInsideFrame() {
    return held.size() > 0 || toSkip > 0;
  }

  /** Returns how many bytes are held: they came and are in no frame that {@link #next} returned. */
  public int bufferedBytes() {
    return (int) Math.min(held.size(), Integer.MAX_VALUE);
  }

  /**
   * Returns how much memory they take: what is held with them, and room for what follows, included.
   */
  public long bufferedMemory() {
    return held.held();
  }

  /**
   * Hands over all the bytes that wait, for whoever takes over the stream, and releases them.
   *
   * @throws IllegalStateException if this decoder is closed
   */
  public ByteBuf takeBuffered() {
    checkOpen();
    report();
    frameBegins();
    return held.takeAll();
  }

  /** Releases what is held; a second call does nothing. */
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

  /** How many bytes will be held when the next frame is complete, as far as that is known. */
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
