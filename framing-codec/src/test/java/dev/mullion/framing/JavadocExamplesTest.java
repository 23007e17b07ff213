package dev.mullion.framing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.mullion.framing.tcp.EchoServer;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The examples of the Javadoc, compiled and run. Each stands here, in {@link FourDigits} or in
 * {@code ConnectionExamplesTest}, in the same words.
 */
class JavadocExamplesTest {
  private static final Path TESTS = Path.of("src/test/java/dev/mullion/framing");
  private static final Pattern PREFORMATTED =
      Pattern.compile("<pre>\\{@code\n(.*?)\n *\\* }</pre>", Pattern.DOTALL);

  private final List<String> handled = new ArrayList<>();

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
      return files.filter(file -> file.toString().endsWith(".java")).sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource("sources")
  void examplesAreCompiled(Path source) throws IOException {
    String javadoc = Files.readString(source);
    String compiled = words(Files.readString(TESTS.resolve("JavadocExamplesTest.java")))
        + words(Files.readString(TESTS.resolve("FourDigits.java")))
        + words(Files.readString(TESTS.resolve("tcp/ConnectionExamplesTest.java")));
    List<String> shown =
        PREFORMATTED.matcher(javadoc).results().map(found -> found.group(1)).toList();

    assertThat(shown)
        .as("examples of %s that are not compiled as they are shown", source)
        .filteredOn(example -> !isDrawing(example))
        .filteredOn(example -> !compiled.contains(words(withoutStars(example))))
        .isEmpty();
    // Nothing hides behind other tags.
    assertThat(shown)
        .as("blocks of %s", source)
        .hasSize(javadoc.split("<pre|@snippet", -1).length - 1);
  }

  private static boolean isDrawing(String preformatted) {
    return preformatted.contains("---") && !preformatted.contains(";");
  }

  private static String withoutStars(String comment) {
    return comment.replaceAll("(?m)^ *\\*", "");
  }

  /** The layout is not the same in both, and an example needs no annotation. */
  private static String words(String code) {
    return code.replace("@Override", "")
        .replaceAll("\\s+", " ")
        .replaceAll(" (?!\\w)|(?<!\\w) ", "");
  }

  @Test
  void frameFormatCountsTheWholeFrame() {
    FrameFormat format = FrameFormat.builder()
        .beforeLength((byte) 0xCA, (byte) 0xFE)
        .lengthFieldLength(2)
        .lengthAdjustment(-4)
        .maxFrameLength(16 * 1024)
        .build();

    assertThat(Wire.hex(TestBytes.wire(format, Wire.bytes("'HELLO, WORLD'"))))
        .isEqualTo(Wire.hex("| CAFE | 0010 | 'HELLO, WORLD' |"));
  }

  @Test
  void codecEchoes() {
    EmbeddedChannel channel = new EmbeddedChannel();
    channel
        .pipeline()
        .addLast(
            LengthDelimitedCodec.of(FrameFormat.builder().lengthFieldLength(2).build()))
        .addLast(new SimpleChannelInboundHandler<ByteBuf>() {
          @Override
          protected void channelRead0(ChannelHandlerContext ctx, ByteBuf frame) {
            ctx.writeAndFlush(frame.retain());
          }
        });

    channel.writeInbound(TestBytes.read("0002 4142  0001 43"));
    ByteBuf sent = channel.readOutbound();
    assertThat(TestBytes.hex(sent)).isEqualTo("00024142000143");
    sent.release();
    channel.finishAndReleaseAll();
  }

  /** Adds up frames of eight bytes. */
  private static final class Sum extends ChannelInboundHandlerAdapter {
    private long sum;

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      FrameBatch batch = (FrameBatch) msg;
      ByteBuf buffer = batch.buffer();
      for (int i = 0; i < batch.size(); i++) {
        sum += buffer.getLong(batch.offset(i));
      }
    }
  }

  @Test
  void batchIsAddedUp() {
    FrameFormat format = FrameFormat.builder().lengthFieldLength(1).build();
    Sum behind = new Sum();
    EmbeddedChannel channel = new EmbeddedChannel(
        LengthDelimitedCodec.builder().format(format).batches(true).build(), behind);

    channel.writeInbound(TestBytes.read("08 0000000000000028  08 0000000000000002"));

    assertThat(behind.sum).isEqualTo(0x2A);
    channel.finishAndReleaseAll();
  }

  @Test
  void writerAndReaderShareAConnection() throws IOException {
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        Socket sender = new Socket(server.getInetAddress(), server.getLocalPort());
        Socket receiver = server.accept()) {
      write(sender);
      read(receiver);
    }

    assertThat(handled).containsExactly("hello");
  }

  private static void write(Socket socket) throws IOException {
    try (FrameWriter writer = FrameWriter.of(socket.getOutputStream(), FrameFormat.defaults())) {
      writer.write("hello".getBytes(UTF_8));
      writer.flush();
    }
  }

  private void read(Socket socket) throws IOException {
    try (FrameReader reader = FrameReader.of(socket.getInputStream(), FrameFormat.defaults())) {
      byte[] frame;
      while ((frame = reader.read()) != null) {
        handle(frame);
      }
    }
  }

  private void handle(byte[] frame) {
    handled.add(new String(frame, UTF_8));
  }

  @Test
  void echoServerSaysWhereItListens() {
    PrintStream out = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, UTF_8));
    try {
      // So that it does not wait.
      Thread.currentThread().interrupt();
      assertThatExceptionOfType(InterruptedException.class).isThrownBy(() -> serve(0));
    } finally {
      Thread.interrupted();
      System.setOut(out);
    }

    assertThat(printed.toString(UTF_8)).matches("listening on /127.0.0.1:[1-9]\\d+\\R");
  }

  private static void serve(int port) throws IOException, InterruptedException {
    try (EchoServer server = EchoServer.builder().port(port).start()) {
      System.out.println("listening on " + server.address());
      server.awaitTermination();
    }
  }
}
