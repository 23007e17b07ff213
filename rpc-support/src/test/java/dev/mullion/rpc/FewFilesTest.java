package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.StatusRuntimeException;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process without a free file descriptor. The event loop that accepts once ended for good: it
 * logged that it could not accept, and the first line of a log needs a file of the JDK.
 */
@Timeout(90)
@EnabledOnOs(OS.LINUX)
class FewFilesTest {
  /** The other process. */
  static final class Server {
    private Server() {}

    public static void main(String[] args) throws Exception {
      RpcServer server = RpcServer.builder().addService(new GreeterService()).start();
      System.out.println(server.port());
      List<FileInputStream> all = takeAll();
      System.out.println(unixServer(args[0]));
      System.in.read();
      for (FileInputStream each : all) {
        each.close();
      }
      System.out.println(unixServer(args[0]));
      server.awaitTermination();
    }

    private static List<FileInputStream> takeAll() {
      List<FileInputStream> all = new ArrayList<>();
      while (true) {
        try {
          all.add(new FileInputStream("/dev/null"));
        } catch (IOException noneLeft) {
          return all;
        }
      }
    }

    private static String unixServer(String path) {
      try (RpcServer server = RpcServer.builder()
          .path(Path.of(path))
          .addService(new GreeterService())
          .start()) {
        return "started " + server.address();
      } catch (Throwable e) {
        return e.toString();
      }
    }
  }

  @Test
  void serverServesAgainWhenFilesAreClosed(@TempDir Path folder) throws Exception {
    List<String> command =
        new ArrayList<>(List.of("sh", "-c", "ulimit -n 500 && exec \"$0\" \"$@\""));
    command.addAll(ClassPath.command(entry -> true, Server.class, "-XX:-MaxFDLimit"));
    String path = folder.resolve("socket").toString();
    command.add(path);
    Process process = new ProcessBuilder(command).start();
    try (BufferedReader says =
            new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
        BufferedReader log =
            new BufferedReader(new InputStreamReader(process.getErrorStream(), UTF_8))) {
      int port = Integer.parseInt(says.readLine());
      assertThat(says.readLine())
          .startsWith("java.io.IOException: ")
          .contains("event loops of unix-domain sockets cannot be started");
      try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), port)) {
        assertThat(peer.isConnected()).isTrue();
        assertThat(log.readLine()).as("it cannot accept").isNotNull();
      }

      process.getOutputStream().write('\n');
      process.getOutputStream().flush();

      assertThat(says.readLine()).isEqualTo("started " + path);
      try (RpcChannel channel = RpcChannel.builder().address("127.0.0.1", port).build()) {
        GreeterClient greeter = GreeterClient.of(channel);
        Await.until("it serves", () -> serves(greeter));
      }
    } finally {
      process.destroyForcibly();
    }
  }

  private static boolean serves(GreeterClient greeter) {
    try {
      return greeter.sayHello("x", Duration.ofSeconds(5)).equals("Hello, x!");
    } catch (StatusRuntimeException notYet) {
      return false;
    }
  }
}
