package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.List;

/** All the ways to encode. They must agree on every frame. */
enum Encoding {
  PIPELINE,
  STREAM,
  CHANNEL;

  byte[] encode(FrameFormat format, byte[]... frames) throws IOException {
    return encode(format, List.of(frames));
  }

  /** Returns the wire of all the frames, or throws the first error. */
  byte[] encode(FrameFormat format, List<byte[]> frames) throws IOException {
    if (this == PIPELINE) {
      return inPipeline(format, frames);
    }
    ByteArrayOutputStream wire = new ByteArrayOutputStream();
    try (FrameWriter writer = this == STREAM
        ? FrameWriter.of(wire, format)
        : FrameWriter.of(Channels.newChannel(wire), format)) {
      for (byte[] frame : frames) {
        writer.write(ByteBuffer.wrap(frame));
      }
    }
    return wire.toByteArray();
  }

  private static byte[] inPipeline(FrameFormat format, List<byte[]> frames) throws IOException {
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(format));
    try {
      List<ChannelFuture> written = new ArrayList<>();
      for (byte[] frame : frames) {
        written.add(channel.write(Decoding.buffer(channel, frame)));
      }
      channel.flush();
      for (ChannelFuture future : written) {
        rethrow(future.cause());
      }
      return outbound(channel);
    } finally {
      channel.finishAndReleaseAll();
    }
  }

  private static byte[] outbound(EmbeddedChannel channel) {
    ByteArrayOutputStream wire = new ByteArrayOutputStream();
    ByteBuf written = channel.readOutbound();
    while (written != null) {
      wire.writeBytes(ByteBufUtil.getBytes(written));
      written.release();
      written = channel.readOutbound();
    }
    return wire.toByteArray();
  }

  private static void rethrow(Throwable cause) throws IOException {
    if (cause instanceof IOException e) {
      throw e;
    }
    if (cause instanceof RuntimeException e) {
      throw e;
    }
    if (cause != null) {
      throw new AssertionError(cause);
    }
  }
}
