package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.hex;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;

/** A codec in an embedded channel, between other handlers and a {@link Recorder}. */
final class CodecChannel implements AutoCloseable {
  final LengthDelimitedCodec codec;
  final EmbeddedChannel channel;
  private final Recorder recorder = new Recorder();

  CodecChannel(LengthDelimitedCodec codec, ChannelHandler... behind) {
    this.codec = codec;
    channel = new EmbeddedChannel(codec);
    channel.pipeline().addLast(behind);
    channel.pipeline().addLast(recorder);
  }

  static CodecChannel of(FrameFormat format) {
    return new CodecChannel(LengthDelimitedCodec.of(format));
  }

  static CodecChannel of(FrameFormat format, boolean batches) {
    return new CodecChannel(
        LengthDelimitedCodec.builder().format(format).batches(batches).build());
  }

  static CodecChannel of(FrameFormat format, TooLargePolicy policy) {
    return new CodecChannel(
        LengthDelimitedCodec.builder().format(format).tooLargePolicy(policy).build());
  }

  CodecChannel read(ByteBuf... reads) {
    for (ByteBuf read : reads) {
      channel.writeInbound(read);
    }
    return this;
  }

  CodecChannel read(String... reads) {
    for (String read : reads) {
      read(TestBytes.read(bytes(read)));
    }
    return this;
  }

  /** All of them are read before the channel can notice that it was closed. */
  CodecChannel read(List<byte[]> reads) {
    channel.writeInbound(reads.stream().map(TestBytes::read).toArray());
    return this;
  }

  /** The peer closes. */
  CodecChannel end() {
    channel.close();
    return this;
  }

  List<String> events() {
    return recorder.events();
  }

  List<Integer> batches() {
    return recorder.batches();
  }

  /** What was flushed to the transport, each buffer as hex. */
  List<String> sent() {
    List<String> sent = new ArrayList<>();
    for (ByteBuf out = channel.readOutbound(); out != null; out = channel.readOutbound()) {
      sent.add(hex(out));
      out.release();
    }
    return sent;
  }

  /** The counters that are not 0, in the order of their declaration. */
  String counted() {
    return counted(codec.counters());
  }

  static String counted(FrameCounters counters) {
    StringBuilder text = new StringBuilder();
    append(text, "framesDecoded", counters.framesDecoded());
    append(text, "bytesDecoded", counters.bytesDecoded());
    append(text, "framesEncoded", counters.framesEncoded());
    append(text, "bytesEncoded", counters.bytesEncoded());
    append(text, "framesTooLarge", counters.framesTooLarge());
    append(text, "framesCorrupt", counters.framesCorrupt());
    append(text, "framesTruncated", counters.framesTruncated());
    append(text, "framesRefused", counters.framesRefused());
    append(text, "bytesDiscarded", counters.bytesDiscarded());
    return text.toString().trim();
  }

  private static void append(StringBuilder text, String name, long value) {
    if (value != 0) {
      text.append(name).append('=').append(value).append(' ');
    }
  }

  @Override
  public void close() {
    channel.finishAndReleaseAll();
  }
}
