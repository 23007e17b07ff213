package dev.mullion.rpc;

import io.grpc.Codec;
import io.grpc.Compressor;
import io.grpc.CompressorRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/**
 * The compressions of a channel. Messages are compressed before they are passed to gRPC, so that a
 * compressor's exception can end the call. While a connection is being made, gRPC queues messages
 * and sends them later on another thread. An exception there would be lost, and the call would
 * never end.
 */
final class Compressions {
  private final CompressorRegistry registry = CompressorRegistry.newEmptyInstance();

  /** Returns the registry for the channel. */
  CompressorRegistry registry() {
    return registry;
  }

  /** Returns the compressor of a call's messages, or null if there is none. */
  @Nullable
  Compressor use(@Nullable String name) {
    Compressor real =
        name == null ? null : CompressorRegistry.getDefaultInstance().lookupCompressor(name);
    if (name == null || real == null) {
      return null;
    }
    if (real == Codec.Identity.NONE) {
      registry.register(real);
      return null;
    }
    if (!(registry.lookupCompressor(name) instanceof Beforehand known) || known.real != real) {
      registry.register(new Beforehand(real));
    }
    return real;
  }

  /** Returns the bytes of a message, compressed. */
  static byte[] compressed(WholeMessage message, Compressor compressor) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream compressing = compressor.compress(bytes)) {
      message.stream().drainTo(compressing);
    }
    return bytes.toByteArray();
  }

  /** Stands in for a compressor whose work is already done. */
  private record Beforehand(Compressor real) implements Compressor {
    @Override
    public String getMessageEncoding() {
      return real.getMessageEncoding();
    }

    @Override
    public OutputStream compress(OutputStream target) {
      return new Compressed(real, target);
    }
  }

  /** Accepts a compressed message, or compresses the bytes written to it. */
  static final class Compressed extends OutputStream {
    private final Compressor real;
    private final OutputStream target;
    private @Nullable OutputStream compressing;

    private Compressed(Compressor real, OutputStream target) {
      this.real = real;
      this.target = target;
    }

    /** Writes a whole compressed message. */
    void take(byte[] compressed) throws IOException {
      target.write(compressed);
    }

    private OutputStream compressing() throws IOException {
      OutputStream known = compressing;
      if (known == null) {
        known = real.compress(target);
        compressing = known;
      }
      return known;
    }

    @Override
    public void write(int one) throws IOException {
      compressing().write(one);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      compressing().write(bytes, offset, length);
    }

    @Override
    public void close() throws IOException {
      OutputStream known = compressing;
      if (known == null) {
        target.close();
      } else {
        known.close();
      }
    }
  }
}
