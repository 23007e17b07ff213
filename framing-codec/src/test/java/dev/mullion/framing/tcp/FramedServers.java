package dev.mullion.framing.tcp;

import dev.mullion.framing.testing.Await;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** What the tests of servers with bad peers share. */
final class FramedServers {
  private FramedServers() {}

  static void awaitOpen(FramedServer server, int connections) throws Exception {
    Await.until(
        connections + " open connections",
        () -> server.counters().connectionsOpen() == connections);
  }

  /** Waits for a connection to be open, unless a callback holds the event loop already. */
  static void awaitOpenOrHeld(FramedServer server, CountDownLatch held) throws Exception {
    Await.until(
        "an open connection",
        () -> held.getCount() == 0 || server.counters().connectionsOpen() == 1);
  }

  /** Waits until no connection is open and nothing is held. */
  static void awaitEmpty(FramedServer server) throws Exception {
    awaitOpen(server, 0);
    Await.until("no memory is held", () -> server.memoryUsed() == 0);
  }

  /** A connection is counted as not open a moment before it is counted as failed. */
  static void awaitFailed(FramedServer server, int connections) throws Exception {
    Await.until(
        connections + " failed connections",
        () -> server.counters().connectionsFailed() == connections);
  }

  /**
   * Sends frames until the peer's and the kernel's buffers are full too, and have been for so long
   * as TCP may pause, 200 ms, and more. Says how many.
   */
  static int fill(FramedConnection connection, FramedServer server, byte[] frame) throws Exception {
    int[] sent = {0};
    long[] seen = {-1, 0};
    Await.until("nothing more can be sent", () -> {
      int before = sent[0];
      while (connection.trySend(frame)) {
        sent[0]++;
      }
      long now = server.memoryUsed();
      seen[1] = sent[0] == before && now == seen[0] ? seen[1] + 1 : 0;
      seen[0] = now;
      return seen[1] == 2000;
    });
    return sent[0];
  }

  /** Waits until what is held stays the same for so long as TCP may pause, 200 ms, and more. */
  static void awaitStill(FramedServer server) throws Exception {
    long[] seen = {-1, 0};
    Await.until("the memory used stays the same", () -> {
      long now = server.memoryUsed();
      seen[1] = now == seen[0] ? seen[1] + 1 : 0;
      seen[0] = now;
      return seen[1] == 2000;
    });
  }

  /** Collects what is logged until it is closed. */
  static final class Log extends Handler implements AutoCloseable {
    private static final Logger LOGGER = Logger.getLogger("dev.mullion.framing.tcp");

    /** All but those of slow handlers, which depend on the machine. */
    final List<String> records = new CopyOnWriteArrayList<>();

    final List<String> ofSlowHandlers = new CopyOnWriteArrayList<>();

    Log() {
      LOGGER.addHandler(this);
    }

    @Override
    public void publish(LogRecord entry) {
      String text = entry.getParameters() == null
          ? entry.getMessage()
          : java.text.MessageFormat.format(entry.getMessage(), entry.getParameters());
      (text.startsWith("handler holds") ? ofSlowHandlers : records)
          .add(entry.getLevel() + " " + text);
    }

    @Override
    public void flush() {}

    @Override
    public void close() {
      LOGGER.removeHandler(this);
    }
  }
}
