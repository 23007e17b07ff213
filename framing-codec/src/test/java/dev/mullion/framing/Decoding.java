package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** All the ways to decode. They must agree on every wire, in whatever pieces it comes. */
enum Decoding {
  PIPELINE,
  BATCHES,
  STREAM,
  CHANNEL,
  PUSHED,
  PUSHED_AT_ONCE;

  /**
   * Decodes pieces up to the end of the input, or to the first error that is final.
   *
   * @return what came in its order: each frame in hex, each error as {@link #text} says it
   */
  List<String> decode(FrameFormat format, List<byte[]> pieces) {
    return switch (this) {
      case PIPELINE, BATCHES -> inPipeline(format, pieces, this == BATCHES);
      case STREAM -> read(FrameReader.of(new PieceStream(pieces), format));
      case CHANNEL -> read(FrameReader.of(new PieceChannel(pieces), format));
      case PUSHED, PUSHED_AT_ONCE -> pushed(format, pieces, this == PUSHED_AT_ONCE);
    };
  }

  /** Returns an error's kind, text and frame, without the peer, which only a pipeline knows. */
  static String text(Throwable error) {
    if (!(error instanceof FramingException framing)) {
      return error.toString();
    }
    String kind = error.getClass().getSimpleName();
    return kind + ": " + framing.detail() + " (frame " + framing.frameNumber() + ")";
  }

  private static List<String> inPipeline(FrameFormat format, List<byte[]> pieces, boolean batches) {
    Recorder recorder = new Recorder();
    // As a reader does, it goes on behind a frame that is too large.
    LengthDelimitedCodec codec = LengthDelimitedCodec.builder()
        .format(format)
        .decodeOnly(format.whyNotEncodable().isPresent())
        .tooLargePolicy(TooLargePolicy.REPORT)
        .batches(batches)
        .build();
    EmbeddedChannel channel = new EmbeddedChannel(codec, recorder);
    for (byte[] piece : pieces) {
      if (channel.isOpen()) {
        channel.writeInbound(buffer(channel.alloc(), piece));
      }
    }
    channel.finishAndReleaseAll();
    return recorder.events;
  }

  /** The bytes do not begin at index 0, so that an index is not an offset by accident. */
  static ByteBuf buffer(ByteBufAllocator allocator, byte[] piece) {
    ByteBuf buffer = allocator.buffer(3 + piece.length);
    return buffer.writeZero(3).writeBytes(piece).readerIndex(3);
  }

  private static List<String> pushed(FrameFormat format, List<byte[]> pieces, boolean atOnce) {
    List<String> events = new ArrayList<>();
    try (FrameDecoder decoder = FrameDecoder.of(format)) {
      boolean open = true;
      for (byte[] piece : pieces) {
        decoder.add(buffer(ByteBufAllocator.DEFAULT, piece));
        open = open && (atOnce || readAll(decoder::next, events));
      }
      decoder.end();
      if (open) {
        readAll(decoder::next, events);
      }
    }
    return events;
  }

  /** Gives the next frame, or null if there is none. */
  private interface Frames {
    byte @Nullable [] next() throws IOException;
  }

  /** Reads until there are no frames, and returns true, or until an error that is final. */
  private static boolean readAll(Frames frames, List<String> events) {
    while (true) {
      try {
        byte[] frame = frames.next();
        if (frame == null) {
          return true;
        }
        events.add(Wire.hex(frame));
      } catch (IOException e) {
        events.add(text(e));
        if (!(e instanceof FrameTooLargeException)) {
          return false;
        }
      }
    }
  }

  private static List<String> read(FrameReader reader) {
    List<String> events = new ArrayList<>();
    readAll(reader::read, events);
    try {
      reader.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return events;
  }

  /** Copies what arrives, while it is valid. */
  static final class Recorder extends ChannelInboundHandlerAdapter {
    final List<String> events = new ArrayList<>();

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      if (msg instanceof FrameBatch batch) {
        for (int i = 0; i < batch.size(); i++) {
          add(batch.buffer().slice(batch.offset(i), batch.length(i)));
        }
      } else {
        ByteBuf frame = (ByteBuf) msg;
        add(frame);
        frame.release();
      }
    }

    private void add(ByteBuf frame) {
      events.add(Wire.hex(ByteBufUtil.getBytes(frame)));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      events.add(text(cause));
    }
  }

  /** Gives at most one piece a read. */
  static final class PieceStream extends InputStream {
    private final Queue<ByteBuffer> pieces = new ArrayDeque<>();

    PieceStream(List<byte[]> pieces) {
      pieces.stream()
          .filter(piece -> piece.length > 0)
          .map(ByteBuffer::wrap)
          .forEach(this.pieces::add);
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
      ByteBuffer piece = pieces.peek();
      if (piece == null) {
        return -1;
      }
      int read = Math.min(length, piece.remaining());
      piece.get(to, offset, read);
      if (!piece.hasRemaining()) {
        pieces.remove();
      }
      return read;
    }
  }

  /** Gives at most one piece a read. */
  private static final class PieceChannel implements ReadableByteChannel {
    private final PieceStream pieces;
    private boolean open = true;

    PieceChannel(List<byte[]> pieces) {
      this.pieces = new PieceStream(pieces);
    }

    @Override
    public int read(ByteBuffer to) throws IOException {
      byte[] bytes = new byte[to.remaining()];
      int read = pieces.read(bytes, 0, bytes.length);
      to.put(bytes, 0, Math.max(0, read));
      return read;
    }

    @Override
    public boolean isOpen() {
      return open;
    }

    @Override
    public void close() {
      open = false;
    }
  }
}
