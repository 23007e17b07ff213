package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A JVM that is ended by SIGTERM first stops its servers gracefully. */
@Timeout(120)
class ShutdownHookTest {
  private static final int SIGTERM = 128 + 15;

  /** Answers a frame when it hears of the stop, and not before. */
  public static final class Framed {
    private Framed() {}

    /** Prints its port, and that a frame has come. */
    public static void main(String[] args) throws Exception {
      FramedServer server = FramedServer.builder()
          .shutdownHook(true)
          .handler(connection -> {
            byte[] frame = requireNonNull(connection.receive());
            System.out.println("received");
            Await.until("the stop", connection::isStopping);
            connection.send(frame);
          })
          .start();
      System.out.println(server.port());
      server.awaitTermination(Duration.ofMinutes(1));
    }
  }

  /** Sends back what is larger than the buffers of its sockets, while it is stopped. */
  public static final class Echo {
    private Echo() {}

    /** Prints its port, and that a connection was made. */
    public static void main(String[] args) throws Exception {
      EchoServer server = EchoServer.builder()
          .shutdownHook(true)
          .closeTimeout(Duration.ofSeconds(30))
          .start();
      System.out.println(server.port());
      Await.until("a frame comes", () -> server.counters().connectionsOpen() == 1);
      System.out.println("received");
      server.awaitTermination(Duration.ofMinutes(1));
    }
  }

  private static Process java(Class<?> main) throws IOException {
    String classes = Stream.of("surefire.test.class.path", "java.class.path")
        .map(each -> System.getProperty(each, ""))
        .filter(each -> !each.isEmpty())
        .collect(Collectors.joining(File.pathSeparator));
    return new ProcessBuilder(List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            classes,
            main.getName()))
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  @Test
  void framedServerAnswersWhatItHasReceived() throws Exception {
    assertAnsweredAfterTheSignal(Framed.class, "hello".getBytes(UTF_8));
  }

  @Test
  void echoServerAnswersWhatItHasReceived() throws Exception {
    assertAnsweredAfterTheSignal(Echo.class, new byte[8 * 1024 * 1024]);
  }

  private static void assertAnsweredAfterTheSignal(Class<?> main, byte[] frame) throws Exception {
    Process process = java(main);
    try (BufferedReader out = process.inputReader(UTF_8);
        Socket socket =
            new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(out.readLine()))) {
      socket.setSoTimeout(60_000);
      FrameReader replies = FrameReader.of(socket.getInputStream(), FrameFormat.defaults());
      FrameWriter requests = FrameWriter.of(socket.getOutputStream(), FrameFormat.defaults());
      CompletableFuture<Boolean> sent = Threads.call(() -> {
        try {
          requests.write(frame);
          requests.flush();
          return true;
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      });
      assertThat(out.readLine()).isEqualTo("received");

      process.destroy();

      assertThat(replies.read()).isEqualTo(frame);
      assertThat(sent.get(20, TimeUnit.SECONDS)).isTrue();
      assertThat(replies.read()).isNull();
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isEqualTo(SIGTERM);
    } finally {
      process.destroyForcibly();
    }
  }

  /** It would hold the server in memory, and close it again. */
  @Test
  void hookIsRemovedByTheStop() throws Exception {
    FramedServerBuilder builder = FramedServer.builder().handler(connection -> {});
    FramedServer plain = builder.start();
    FramedServer hooked = builder.shutdownHook(true).start();
    FramedServer stopped = builder.start();
    stopped.close();

    assertThat(plain.hook.remove()).isFalse();
    assertThat(hooked.hook.remove()).isTrue();
    assertThat(stopped.hook.remove()).isFalse();
    plain.close();
    hooked.close();
  }
}
