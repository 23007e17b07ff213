package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.net.base.EventLoops;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** What begins in a process that lacks file descriptors or threads, and what is left of it. */
@Timeout(60)
class FewFilesTest {
  /** The other process: connects with more and more free descriptors. */
  static final class Client {
    private static final Duration LONG = Duration.ofSeconds(30);

    private Client() {}

    public static void main(String[] args) throws Exception {
      try (FramedServer server = FramedServer.builder()
          .handler(connection -> {
            for (byte[] frame : connection) {
              connection.send(frame);
            }
          })
          .start()) {
        connect(server.port());
        Deque<FileInputStream> all = new ArrayDeque<>();
        takeAll(all);
        for (int free = 0; free < 8; free++) {
          System.out.println(free + " " + connect(server.port()));
          all.remove().close();
        }
        for (FileInputStream each : all) {
          each.close();
        }
        System.out.println("all " + connect(server.port()));
      }
    }

    private static void takeAll(Deque<FileInputStream> all) {
      while (true) {
        try {
          all.add(new FileInputStream("/dev/null"));
        } catch (IOException noneLeft) {
          return;
        }
      }
    }

    private static String connect(int port) {
      long begin = System.nanoTime();
      try {
        FramedClient.builder().port(port).connectTimeout(LONG).connect().close();
        return "connected";
      } catch (IOException e) {
        boolean late = System.nanoTime() - begin > LONG.toNanos() / 2;
        return late ? "too late: " + e : "refused";
      } catch (Throwable e) {
        return e.toString();
      }
    }
  }

  /** An attempt without a descriptor for its socket lasted for all of {@code connectTimeout}. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void clientWithoutFilesFailsAtOnce() throws Exception {
    Process process = new ProcessBuilder(
            "sh",
            "-c",
            "ulimit -n 200 && exec \"$0\" \"$@\"",
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:-MaxFDLimit",
            "-XX:TieredStopAtLevel=1",
            "-Xmx64m",
            "-cp",
            System.getProperty("java.class.path"),
            Client.class.getName())
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
    String said = new String(process.getInputStream().readAllBytes(), UTF_8);

    assertThat(said.lines().toList())
        .as(said)
        .hasSize(9)
        .startsWith("0 refused")
        .endsWith("all connected")
        .allMatch(line -> line.matches("\\w+ (refused|connected)"));
  }

  @Test
  void eventLoopsThatCannotBeCreatedAreAnIoException() {
    assertThatThrownBy(() -> EventLoops.create("loops", 1, Thread::new, executor -> {
          throw new ChannelException("failed to open a new selector");
        }))
        .isInstanceOf(IOException.class)
        .hasMessage("loops cannot be started: io.netty.channel.ChannelException:"
            + " failed to open a new selector");
  }

  @Test
  void nothingIsLeftOfAServerThatCannotStartAThread() throws Exception {
    ConnectionSettings settings = FramedServer.builder().connectionSettings();
    Handling handling = new Handling() {
      @Override
      public void addTo(
          ChannelPipeline pipeline, ConnectionSettings settings, LoopWatch watch, boolean secure) {}

      @Override
      public void begin(EventLoopGroup loops) {
        throw new OutOfMemoryError("unable to create native thread, pretended");
      }
    };

    assertThatThrownBy(() -> TcpListener.start(
            new TcpSettings(
                "127.0.0.1",
                0,
                null,
                Transport.NIO,
                "few-threads",
                2,
                1,
                Map.of(),
                null,
                Duration.ofMillis(100)),
            settings,
            handling))
        .isInstanceOf(OutOfMemoryError.class);

    Await.until(
        "its threads have ended",
        () -> Thread.getAllStackTraces().keySet().stream()
            .noneMatch(each -> each.getName().startsWith("few-threads")));
  }

  /** All later look-ups of that name waited for one that never began. */
  @Test
  void lookUpWithoutAThreadIsNotJoined() throws Exception {
    AtomicInteger left = new AtomicInteger();
    InetAddress address = InetAddress.getByAddress(new byte[] {127, 0, 0, 9});
    NameLookup lookup = new NameLookup(host -> new InetAddress[] {address}, task -> {
      if (left.getAndDecrement() <= 0) {
        throw new OutOfMemoryError("unable to create native thread, pretended");
      }
      Thread thread = new Thread(task, "look-up");
      thread.setDaemon(true);
      return thread;
    });

    assertThatThrownBy(() -> lookup.start("name.example").get())
        .isInstanceOf(ExecutionException.class)
        .cause()
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("host: name.example is not resolved: java.lang.OutOfMemoryError");
    left.set(1);
    assertThat(lookup.start("name.example").get()).containsExactly(address);
    assertThat(lookup.running()).isZero();
  }
}
