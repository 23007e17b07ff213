package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
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
  CHANNEL,
  ARRAYS,
  NIO_BUFFERS,
  BUFFERS,
  WHOLE_BUFFERS;

  /** Returns where errors say that they were: a stream does not know its peer. */
  String place() {
    return this == PIPELINE ? " (peer embedded)" : "";
  }

  byte[] encode(FrameFormat format, byte[]... frames) throws IOException {
    return encode(format, List.of(frames));
  }

  /** Returns the wire of all the frames, or throws the first error. */
  byte[] encode(FrameFormat format, List<byte[]> frames) throws IOException {
    ByteArrayOutputStream wire = new ByteArrayOutputStream();
    return switch (this) {
      case PIPELINE -> inPipeline(format, frames);
      case STREAM -> write(FrameWriter.of(wire, format), frames, wire);
      case CHANNEL -> write(FrameWriter.of(Channels.newChannel(wire), format), frames, wire);
      default -> toBuffer(FrameEncoder.of(format), frames);
    };
  }

  private static byte[] write(FrameWriter writer, List<byte[]> frames, ByteArrayOutputStream wire)
      throws IOException {
    try (writer) {
      for (byte[] frame : frames) {
        writer.write(ByteBuffer.wrap(frame));
      }
    }
    return wire.toByteArray();
  }

  private byte[] toBuffer(FrameEncoder encoder, List<byte[]> frames) throws IOException {
    ByteBuf out = ByteBufAllocator.DEFAULT.buffer(1);
    try {
      for (byte[] frame : frames) {
        toBuffer(encoder, frame, out);
      }
      return ByteBufUtil.getBytes(out);
    } finally {
      out.release();
    }
  }

  private void toBuffer(FrameEncoder encoder, byte[] frame, ByteBuf out) throws IOException {
    ByteBuf buffer = Decoding.buffer(ByteBufAllocator.DEFAULT, frame);
    if (this == WHOLE_BUFFERS) {
      EncodedFrames encoded = encoder.encode(buffer, ByteBufAllocator.DEFAULT);
      out.writeBytes(encoded.content());
      encoded.release();
      return;
    }
    try {
      switch (this) {
        case ARRAYS -> encoder.encode(frame, out);
        case NIO_BUFFERS -> encoder.encode(buffer.nioBuffer(), out);
        default -> encoder.encode(buffer, buffer.readerIndex(), frame.length, out);
      }
    } finally {
      buffer.release();
    }
  }

  private static byte[] inPipeline(FrameFormat format, List<byte[]> frames) throws IOException {
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(format));
    try {
      List<ChannelFuture> written = new ArrayList<>();
      for (byte[] frame : frames) {
        written.add(channel.write(Decoding.buffer(channel.alloc(), frame)));
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
