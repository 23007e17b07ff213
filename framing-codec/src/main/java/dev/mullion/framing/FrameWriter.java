package dev.mullion.framing;

import static java.util.Objects.checkFromIndexSize;
import static java.util.Objects.requireNonNull;

import java.io.Closeable;
import java.io.Flushable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * Writes frames to a blocking stream or channel. In a Netty pipeline, use {@link
 * LengthDelimitedCodec}.
 *
 * <pre>{@code
 * try (FrameWriter writer = FrameWriter.of(socket.getOutputStream(), FrameFormat.defaults())) {
 *   writer.write("hello".getBytes(UTF_8));
 *   writer.flush();
 * }
 * }</pre>
 *
 * <p>Small frames are buffered, up to 16 KiB, until {@link #flush()}; longer payloads are written
 * without a copy. A frame that is rejected with a {@link FramingException} leaves nothing on the
 * wire, and the next one can be written. If the stream itself fails, part of a frame may be on the
 * wire, and every later call throws the same exception. The writer does not modify or keep frames.
 * Not safe for use by several threads.
 */
public final class FrameWriter implements Closeable, Flushable {
  private static final int BUFFER_SIZE = 16 * 1024;

  /** A stream or a channel. */
  private interface Sink extends Closeable, Flushable {
    void write(ByteBuffer bytes) throws IOException;
  }

  private final Sink sink;
  private final HeaderWriter header;
  private final ByteBuffer buffer;
  private @Nullable IOException broken;
  private boolean closed;

  private FrameWriter(Sink sink, FrameFormat format) {
    this.sink = sink;
    header = new HeaderWriter(format);
    int around = header.maxHeaderLength() + header.trailer().length;
    buffer = ByteBuffer.allocate(Math.max(BUFFER_SIZE, around));
  }

  /**
   * Returns a writer to a stream. Closing the writer flushes and closes the stream.
   *
   * @throws IllegalStateException if the format can only decode
   */
  public static FrameWriter of(OutputStream out, FrameFormat format) {
    requireNonNull(out, "out");
    return new FrameWriter(new StreamSink(out), requireNonNull(format, "format"));
  }

  /**
   * Returns a writer to a channel in blocking mode. Closing the writer closes the channel.
   *
   * @throws IllegalStateException if the format can only decode
   */
  public static FrameWriter of(WritableByteChannel out, FrameFormat format) {
    requireNonNull(out, "out");
    return new FrameWriter(new ChannelSink(out), requireNonNull(format, "format"));
  }

  /** Writes a frame, given as the bytes that a {@link FrameReader} of the same format delivers. */
  public void write(byte[] frame) throws IOException {
    write(ByteBuffer.wrap(frame));
  }

  /** Writes a frame that is part of an array. */
  public void write(byte[] frame, int offset, int length) throws IOException {
    checkFromIndexSize(offset, length, frame.length);
    write(ByteBuffer.wrap(frame, offset, length));
  }

  /**
   * Writes a frame from a buffer's position to its limit, and moves the position to the limit.
   *
   * @throws FrameTooLargeException if the payload exceeds {@link FrameFormat#maxFrameLength()}
   * @throws CorruptFrameException if header bytes that the format keeps are missing or wrong
   * @throws IllegalStateException if this writer is closed
   * @throws IOException if the stream cannot be written
   */
  public void write(ByteBuffer frame) throws IOException {
    checkUsable();
    reserve(header.maxHeaderLength());
    int before = buffer.position();
    int inHeader;
    try {
      inHeader = header.write(frame, frame.remaining(), buffer);
    } catch (FramingException | RuntimeException e) {
      buffer.clear().position(before);
      throw e;
    }
    frame.position(frame.position() + inHeader);
    if (frame.remaining() <= buffer.remaining()) {
      buffer.put(frame);
    } else {
      drain();
      send(frame);
    }
    byte[] trailer = header.trailer();
    reserve(trailer.length);
    buffer.put(trailer);
  }

  /** Passes all written frames to the stream and flushes it. */
  @Override
  public void flush() throws IOException {
    checkUsable();
    drain();
    try {
      sink.flush();
    } catch (IOException e) {
      broken = e;
      throw e;
    } catch (RuntimeException | Error e) {
      broken = new IOException("stream failed during a flush: " + e, e);
      throw e;
    }
  }

  /**
   * Flushes and closes the stream; it is closed even if the flush fails. A second call does
   * nothing.
   */
  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    try (Sink closing = sink) {
      failIfBroken();
      drain();
      closing.flush();
    }
  }

  private void checkUsable() throws IOException {
    if (closed) {
      throw new IllegalStateException("writer is closed");
    }
    failIfBroken();
  }

  private void failIfBroken() throws IOException {
    if (broken != null) {
      throw broken;
    }
  }

  private void reserve(int length) throws IOException {
    if (buffer.remaining() < length) {
      drain();
    }
  }

  private void drain() throws IOException {
    if (buffer.position() > 0) {
      send(buffer.flip());
      buffer.clear();
    }
  }

  private void send(ByteBuffer bytes) throws IOException {
    try {
      sink.write(bytes);
    } catch (IOException e) {
      broken = e;
      throw e;
    } catch (IllegalBlockingModeException e) {
      broken = new IOException("channel is not in blocking mode", e);
      throw e;
    } catch (RuntimeException | Error e) {
      broken = new IOException("stream failed during a write: " + e, e);
      throw e;
    }
  }

  private record StreamSink(OutputStream out) implements Sink {
    private static final int PIECE_SIZE = 64 * 1024;

    @Override
    public void write(ByteBuffer bytes) throws IOException {
      if (bytes.hasArray()) {
        out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        bytes.position(bytes.limit());
        return;
      }
      byte[] piece = new byte[Math.min(PIECE_SIZE, bytes.remaining())];
      while (bytes.hasRemaining()) {
        int length = Math.min(piece.length, bytes.remaining());
        bytes.get(piece, 0, length);
        out.write(piece, 0, length);
      }
    }

    @Override
    public void flush() throws IOException {
      out.flush();
    }

    @Override
    public void close() throws IOException {
      out.close();
    }
  }

  private record ChannelSink(WritableByteChannel out) implements Sink {
    @Override
    public void write(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        if (out.write(bytes) == 0) {
          throw new IllegalBlockingModeException();
        }
      }
    }

    @Override
    public void flush() {
      // A channel has no buffer.
    }

    @Override
    public void close() throws IOException {
      out.close();
    }
  }
}
