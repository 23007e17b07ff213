package dev.mullion.rpc;

import com.google.protobuf.MessageLite;
import io.grpc.Compressor;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/**
 * A message that every attempt of a call can send. gRPC keeps messages for further attempts in
 * their given form, so a stream that can be read only once is empty from the second attempt on. The
 * stream of a generated message is such a stream. This matters where gRPC passes messages on as
 * streams, as it does for {@code xds:///}.
 */
final class WholeMessage {
  private static final byte[] NONE = {};

  private final @Nullable MessageLite message;

  /** Used if there is no message. */
  private final byte[] bytes;

  /** Null if the message is not compressed, or not yet. */
  private final byte @Nullable [] compressed;

  private WholeMessage(@Nullable MessageLite message, byte[] bytes, byte @Nullable [] compressed) {
    this.message = message;
    this.bytes = bytes;
    this.compressed = compressed;
  }

  static WholeMessage of(MessageLite message) {
    return new WholeMessage(message, NONE, null);
  }

  static WholeMessage of(byte[] bytes) {
    return new WholeMessage(null, bytes, null);
  }

  /** Returns the same message, compressed once for all attempts. */
  WholeMessage compressedBy(Compressor compressor) throws IOException {
    return new WholeMessage(message, bytes, Compressions.compressed(this, compressor));
  }

  int size() {
    return message == null ? bytes.length : message.getSerializedSize();
  }

  /** Returns a stream of the whole message. */
  Stream stream() {
    return new Stream(this);
  }

  /** Draining the stream does not change it, so concurrent attempts may share one. */
  static final class Stream extends InputStream implements KnownLength, Drainable {
    private final WholeMessage whole;
    private @Nullable InputStream reading;

    private Stream(WholeMessage whole) {
      this.whole = whole;
    }

    @Override
    public int drainTo(OutputStream target) throws IOException {
      if (reading != null) {
        // Only the unread rest.
        return (int) reading.transferTo(target);
      }
      if (whole.compressed != null && target instanceof Compressions.Compressed taking) {
        taking.take(whole.compressed);
      } else if (whole.message == null) {
        target.write(whole.bytes);
      } else {
        whole.message.writeTo(target);
      }
      return whole.size();
    }

    @Override
    public int available() throws IOException {
      return reading == null ? whole.size() : reading.available();
    }

    @Override
    public int read() throws IOException {
      return reading().read();
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      return reading().read(target, offset, length);
    }

    private InputStream reading() {
      InputStream known = reading;
      if (known == null) {
        known = new ByteArrayInputStream(
            whole.message == null ? whole.bytes : whole.message.toByteArray());
        reading = known;
      }
      return known;
    }

    /** Rewinds the stream for the next attempt. */
    @Override
    public void close() {
      reading = null;
    }
  }
}
