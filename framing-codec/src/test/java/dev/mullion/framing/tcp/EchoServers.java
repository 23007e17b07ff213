package dev.mullion.framing.tcp;

import dev.mullion.framing.testing.Await;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/** What the tests of the server share. */
final class EchoServers {
  /**
   * How often a server is stopped under load, at another moment each time; {@code
   * -Dmullion.framing.stopRounds=100} makes the run long.
   */
  static final int STOP_ROUNDS = Integer.getInteger("mullion.framing.stopRounds", 8);

  private EchoServers() {}

  /** The transports that this machine has. */
  static Stream<Transport> transports() {
    return Stream.of(Transport.NIO, Transport.EPOLL, Transport.IO_URING)
        .filter(Transport::isAvailable);
  }

  static byte[] random(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** The server's threads that are alive, of all servers. */
  static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("mullion-echo"))
        .toList();
  }

  /** A thread that has been told to end is alive for a moment longer. */
  static void awaitNoThreads() throws Exception {
    Await.until("no thread of a server is left", () -> threads().isEmpty());
  }

  static void awaitOpen(EchoServer server, int connections) throws Exception {
    Await.until(
        connections + " open connections",
        () -> server.counters().connectionsOpen() == connections);
  }
}
