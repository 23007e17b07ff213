package dev.mullion.examples.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.tcp.EchoServer;
import dev.mullion.rpc.RpcChannel;
import dev.mullion.rpc.RpcServer;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.PrintStream;
import java.net.Socket;
import java.time.Duration;

/** Starts real servers, talks to them, and says what happened; fails when anything is wrong. */
public final class Demo {
  private static final int FRAMES = 100_000;
  private static final int TIMEOUT_MILLIS = 10_000;

  private final PrintStream out;

  private Demo(PrintStream out) {
    this.out = out;
  }

  public static void main(String[] args) throws Exception {
    if (args.length > 0) {
      System.err.println("usage: Demo (it has no arguments)");
      System.exit(2);
    }
    Demo demo = new Demo(System.out);
    demo.formats();
    demo.manyFrames();
    demo.badPeer();
    demo.greeting();
    Patterns.show(demo.out);
    demo.out.println("all went well");
  }

  /** The same two lines of code speak each of these formats. */
  private void formats() throws Exception {
    greet("default, 4 bytes of length", FrameFormat.defaults());
    greet("protobuf-delimited", FrameFormat.protobufDelimited());
    greet("netstring", FrameFormat.netstring());
    greet("octet-counted syslog", FrameFormat.octetCountedSyslog());
    FrameFormat custom = FrameFormat.builder()
        .beforeLength((byte) 0xCA, (byte) 0xFE)
        .lengthFieldLength(2)
        .lengthAdjustment(-4)
        .build();
    greet("magic, length of the whole frame", custom);
    out.println(custom.diagram());
  }

  private void greet(String name, FrameFormat format) throws Exception {
    try (EchoServer server = EchoServer.builder().format(format).start();
        Socket socket = connect(server)) {
      FrameWriter writer = FrameWriter.of(socket.getOutputStream(), format);
      FrameReader reader = FrameReader.of(socket.getInputStream(), format);
      writer.write("hello".getBytes(UTF_8));
      writer.flush();
      String reply = new String(read(reader), UTF_8);
      expect("hello", reply);
      out.printf("%-34s port %-6d sent hello, got %s%n", name, server.port(), reply);
    }
  }

  private void manyFrames() throws Exception {
    FrameFormat format = FrameFormat.defaults();
    try (EchoServer server = EchoServer.builder().start();
        Socket socket = connect(server)) {
      FrameWriter writer = FrameWriter.of(socket.getOutputStream(), format);
      FrameReader reader = FrameReader.of(socket.getInputStream(), format);
      long begin = System.nanoTime();
      Thread sender = new Thread(() -> send(writer));
      sender.start();
      for (int i = 0; i < FRAMES; i++) {
        expect("frame " + i, new String(read(reader), UTF_8));
      }
      sender.join();
      long millis = (System.nanoTime() - begin) / 1_000_000;
      expect((long) FRAMES, server.counters().frames().framesDecoded());
      out.printf("%,d frames there and back in %d ms, in order%n", FRAMES, millis);
    }
  }

  private static void send(FrameWriter writer) {
    try {
      for (int i = 0; i < FRAMES; i++) {
        writer.write(("frame " + i).getBytes(UTF_8));
      }
      writer.flush();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** A peer that announces too much is cut off; another one does not notice. */
  private void badPeer() throws Exception {
    try (EchoServer server = EchoServer.builder().start();
        Socket good = connect(server);
        Socket bad = connect(server)) {
      bad.getOutputStream().write(new byte[] {(byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF});
      expect(-1, bad.getInputStream().read());
      expect(1L, server.counters().frames().framesTooLarge());
      FrameWriter writer = FrameWriter.of(good.getOutputStream(), FrameFormat.defaults());
      FrameReader reader = FrameReader.of(good.getInputStream(), FrameFormat.defaults());
      writer.write("still here".getBytes(UTF_8));
      writer.flush();
      expect("still here", new String(read(reader), UTF_8));
      out.println("a peer announced 4 GiB and was cut off, the other one was served");
    }
  }

  /** A gRPC server, a channel to it, and a call that is answered and one that is refused. */
  private void greeting() throws Exception {
    try (RpcServer server = RpcServer.builder().addService(new GreeterService()).start();
        RpcChannel channel =
            RpcChannel.builder().address("127.0.0.1", server.port()).connect()) {
      GreeterClient client = GreeterClient.of(channel);
      String greeting = client.sayHello("world", Duration.ofSeconds(10));
      expect("Hello, world!", greeting);
      try {
        client.sayHello("", Duration.ofSeconds(10));
        throw new IllegalStateException("expected an empty name to be refused");
      } catch (StatusRuntimeException refused) {
        expect(Status.Code.INVALID_ARGUMENT, refused.getStatus().getCode());
      }
      out.printf("gRPC on port %d: %s%n", server.port(), greeting);
    }
  }

  private static Socket connect(EchoServer server) throws IOException {
    Socket socket = new Socket(server.address().getAddress(), server.port());
    socket.setSoTimeout(TIMEOUT_MILLIS);
    return socket;
  }

  private static byte[] read(FrameReader reader) throws IOException {
    byte[] frame = reader.read();
    if (frame == null) {
      throw new IOException("the server closed the connection");
    }
    return frame;
  }

  static void expect(Object expected, Object actual) {
    if (!expected.equals(actual)) {
      throw new IllegalStateException("expected " + expected + ", got " + actual);
    }
  }
}
