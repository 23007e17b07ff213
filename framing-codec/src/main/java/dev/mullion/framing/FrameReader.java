package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameScanner.Found;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads frames from a blocking stream or channel, such as a socket, a file or a pipe. It may be
 * used on a virtual thread. In a Netty pipeline, use {@link LengthDelimitedCodec}.
 *
 * <pre>{@code
 * try (FrameReader reader = FrameReader.of(socket.getInputStream(), FrameFormat.defaults())) {
 *   byte[] frame;
 *   while ((frame = reader.read()) != null) {
 *     handle(frame);
 *   }
 * }
 * }</pre>
 *
 * <p>It reads up to 16 KiB ahead. Memory grows with the bytes received, never with an announced
 * length: it is at most twice the bytes received plus 4 KiB. After a {@link FrameTooLargeException}
 * the next read skips the rest of that frame and continues after it. Any other exception is final:
 * every later read throws it again. Not safe for use by several threads.
 */
public final class FrameReader implements Closeable {
  private static final int BUFFER_SIZE = 16 * 1024;

  /** Bytes that may be allocated before they arrive, in addition to as many as have arrived. */
  private static final int SMALL = 2 * 1024;

  /**
   * The JDK copies through memory outside the heap. It allocates as much as is requested, even if
   * less arrives.
   */
  private static final int MAX_READ = 64 * 1024;

  /** A stream or a channel. */
  private interface Source extends Closeable {
    int read(byte[] to, int offset, int length) throws IOException;
  }

  private final Source source;
  private final FormatGeometry geometry;
  private final FrameScanner scanner;
  private final byte[] buffer;
  private final ByteBuffer view;
  private int start;
  private int end;
  private long toSkip;
  private @Nullable IOException fatal;

  private FrameReader(Source source, FrameFormat format) {
    this.source = source;
    geometry = format.geometry();
    scanner = new FrameScanner(format);
    int least = Math.max(geometry.maxHeaderLength, geometry.trailer.length);
    buffer = new byte[Math.max(BUFFER_SIZE, least)];
    view = ByteBuffer.wrap(buffer);
  }

  /** Returns a reader of a stream. Closing the reader closes the stream. */
  public static FrameReader of(InputStream in, FrameFormat format) {
    requireNonNull(in, "in");
    return new FrameReader(new StreamSource(in), requireNonNull(format, "format"));
  }

  /** Returns a reader of a channel in blocking mode. Closing the reader closes the channel. */
  public static FrameReader of(ReadableByteChannel in, FrameFormat format) {
    requireNonNull(in, "in");
    return new FrameReader(new ChannelSource(in), requireNonNull(format, "format"));
  }

  /**
   * Reads the next frame; blocks until it is complete.
   *
   * @return the delivered bytes, or {@code null} if the stream ended between two frames
   * @throws FrameTooLargeException if the payload is too long; the next read continues after the
   *     frame
   * @throws CorruptFrameException if the stream is out of sync
   * @throws TruncatedFrameException if the stream ended inside a frame
   * @throws IOException if the stream cannot be read
   */
  public byte @Nullable [] read() throws IOException {
    if (fatal != null) {
      throw fatal;
    }
    try {
      return readFrame();
    } catch (FrameTooLargeException e) {
      toSkip = scanner.tooLargeWireLength();
      scanner.passedOne();
      throw e;
    } catch (IOException e) {
      fatal = e;
      throw e;
    } catch (IllegalBlockingModeException e) {
      // Part of a frame may have been read from the channel.
      fatal = new IOException("channel is not in blocking mode", e);
      throw e;
    } catch (RuntimeException | Error e) {
      fatal = new IOException("stream failed during a read: " + e, e);
      throw e;
    }
  }

  /**
   * Returns a copy of the bytes that were read ahead and are not part of a returned frame, for code
   * that takes over the stream. After a {@link FrameTooLargeException} they begin with that frame.
   */
  public byte[] buffered() {
    return Arrays.copyOfRange(buffer, start, end);
  }

  @Override
  public void close() throws IOException {
    source.close();
  }

  private byte @Nullable [] readFrame() throws IOException {
    skip();
    Found found = inspect();
    while (found == Found.PART_OF_HEADER) {
      if (!fill()) {
        if (start == end) {
          return null;
        }
        throw scanner.cutInHeader(end - start, null);
      }
      found = inspect();
    }
    if (found == Found.TOO_LARGE) {
      throw scanner.tooLarge(null);
    }
    if (found == Found.CORRUPT) {
      throw scanner.corrupt(null);
    }
    start += scanner.deliveredOffset();
    byte[] frame = collect(scanner.deliveredLength());
    checkTrailer();
    scanner.passedOne();
    return frame;
  }

  private Found inspect() {
    view.clear();
    return scanner.inspect(view, start, end);
  }

  /** Skips the rest of a frame that was too large. */
  private void skip() throws IOException {
    while (toSkip > 0) {
      if (start == end && !fill()) {
        throw scanner.cutInSkipped(toSkip, null);
      }
      int skipped = (int) Math.min(toSkip, end - start);
      start += skipped;
      toSkip -= skipped;
    }
  }

  private byte[] collect(int length) throws IOException {
    int have = Math.min(length, end - start);
    if (length <= 2L * have + SMALL) {
      byte[] frame = new byte[length];
      takeBuffered(frame, have);
      readFully(frame, have, 0);
      return frame;
    }
    return collectInParts(length, have);
  }

  /** Moves bytes that were read ahead to the beginning of an array. */
  private void takeBuffered(byte[] to, int length) {
    System.arraycopy(buffer, start, to, 0, length);
    start += length;
  }

  /** Collects the frame in parts and joins them. No part is longer than all those before it. */
  private byte[] collectInParts(int length, int buffered) throws IOException {
    List<byte[]> parts = new ArrayList<>();
    byte[] first = new byte[buffered];
    takeBuffered(first, buffered);
    parts.add(first);
    int have = buffered;
    while (have < length) {
      byte[] part = new byte[Math.min(length - have, Math.max(SMALL, have))];
      readFully(part, 0, have);
      parts.add(part);
      have += part.length;
    }
    byte[] frame = new byte[length];
    int at = 0;
    for (byte[] part : parts) {
      System.arraycopy(part, 0, frame, at, part.length);
      at += part.length;
    }
    return frame;
  }

  /** Fills an array from an index on; {@code before} bytes of the frame precede the array. */
  private void readFully(byte[] to, int from, int before) throws IOException {
    int have = from;
    while (have < to.length) {
      int read = source.read(to, have, Math.min(MAX_READ, to.length - have));
      if (read < 0) {
        throw scanner.cutBehindHeader(before + have - keptHeader(), null);
      }
      have += read;
    }
  }

  /** The number of delivered bytes that belong to the header. */
  private int keptHeader() {
    return scanner.headerLength() - scanner.deliveredOffset();
  }

  private void checkTrailer() throws IOException {
    int length = geometry.trailer.length;
    while (end - start < length) {
      if (!fill()) {
        throw scanner.cutBehindHeader((long) scanner.payloadLength() + end - start, null);
      }
    }
    view.clear();
    if (!scanner.trailerIsGood(view, start)) {
      throw scanner.corrupt(null);
    }
    start += length;
  }

  /** Reads more bytes into the buffer; returns false at the end of the stream. */
  private boolean fill() throws IOException {
    if (start > 0) {
      System.arraycopy(buffer, start, buffer, 0, end - start);
      end -= start;
      start = 0;
    }
    int read = source.read(buffer, end, buffer.length - end);
    if (read < 0) {
      return false;
    }
    end += read;
    return true;
  }

  private record StreamSource(InputStream in) implements Source {
    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
      return in.read(to, offset, length);
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }

  private record ChannelSource(ReadableByteChannel in) implements Source {
    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
      int read = in.read(ByteBuffer.wrap(to, offset, length));
      if (read == 0) {
        throw new IllegalBlockingModeException();
      }
      return read;
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
