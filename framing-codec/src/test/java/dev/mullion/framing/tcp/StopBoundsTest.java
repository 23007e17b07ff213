package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A stop ends in its time and 2 seconds, whatever a callback holds. It once waited for the
 * callback.
 */
@Timeout(60)
class StopBoundsTest {
  private static final Duration TIMEOUT = Duration.ofMillis(300);

  /**
   * How much later a machine that stands still may notice the end; the callback never ends by
   * itself.
   */
  private static final long PATIENCE_SECONDS = 20;

  private final List<Callback> callbacks = new ArrayList<>();

  @AfterEach
  void release() {
    callbacks.forEach(callback -> callback.release.countDown());
  }

  private Callback callback(Place place) {
    Callback made = new Callback(place);
    callbacks.add(made);
    return made;
  }

  /** Where a callback holds its thread. */
  private enum Place {
    OPENED,
    FRAMES,
    STOPPING,
    INPUT_ENDED,
    CLOSED,
    DEPENDENT_OF_CLOSED,
    REACTIVE_HANDLER,
    BLOCKING_HANDLER
  }

  private enum Stop {
    STOP {
      @Override
      void stop(FramedServer server) {
        server.stop(TIMEOUT);
      }
    },
    STOP_AT_ONCE {
      @Override
      void stop(FramedServer server) {
        server.stop(Duration.ZERO);
      }
    },
    CLOSE {
      @Override
      void stop(FramedServer server) {
        server.close();
      }
    };

    abstract void stop(FramedServer server);
  }

  /** Holds its thread until it is released, at one place. */
  private static final class Callback implements BatchHandler {
    final CountDownLatch held = new CountDownLatch(1);
    final CountDownLatch release = new CountDownLatch(1);
    private final Place place;

    Callback(Place place) {
      this.place = place;
    }

    void at(Place here) {
      if (here == place) {
        hold();
      }
    }

    void hold() {
      held.countDown();
      boolean released = false;
      while (!released) {
        try {
          release.await();
          released = true;
        } catch (InterruptedException e) {
          // Such code is the worst, and there is some.
        }
      }
    }

    void awaitHeld() throws Exception {
      assertThat(held.await(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    }

    FramedServer server() throws Exception {
      FramedServerBuilder builder =
          FramedServer.builder().closeTimeout(TIMEOUT).eventLoopThreads(1);
      return switch (place) {
        case REACTIVE_HANDLER -> builder.reactiveHandler(connection -> hold()).start();
        case BLOCKING_HANDLER -> builder.handler(connection -> hold()).start();
        default -> builder.batchHandler(() -> this).start();
      };
    }

    @Override
    public void opened(FramedConnection connection) {
      connection.closed().whenComplete((done, error) -> at(Place.DEPENDENT_OF_CLOSED));
      at(Place.OPENED);
    }

    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      at(Place.FRAMES);
    }

    @Override
    public void stopping(FramedConnection connection) {
      at(Place.STOPPING);
    }

    @Override
    public void inputEnded(FramedConnection connection) {
      at(Place.INPUT_ENDED);
    }

    @Override
    public void closed(FramedConnection connection, @Nullable Throwable cause) {
      at(Place.CLOSED);
    }
  }

  private static void provoke(Place place, EchoPeer peer) throws Exception {
    switch (place) {
      case FRAMES -> peer.send(new byte[1]);
      case INPUT_ENDED -> peer.halfClose();
      case CLOSED, DEPENDENT_OF_CLOSED -> peer.reset();
      default -> {
        // The connection is enough, or the stop.
      }
    }
  }

  /** All at the same time, since each stop takes its two seconds. */
  @Test
  void stopsEndWhereverACallbackHolds() throws Exception {
    List<Part> parts = new ArrayList<>();
    for (Place place : Place.values()) {
      Callback held = callback(place);
      parts.add(new Part("every stop, held by " + place, () -> everyStopEnds(held)));
    }
    Callback reported = callback(Place.FRAMES);
    parts.add(new Part("report", () -> reportTellsWhatIsCutAndTheLogWhoHoldsIt(reported)));
    Callback other = callback(Place.REACTIVE_HANDLER);
    parts.add(new Part("other loops", () -> connectionsOfOtherLoopsAreDrained(other)));
    Threads.forEach(parts, part -> part.run().call());
  }

  private record Part(String name, Run run) {
    @Override
    public String toString() {
      return name;
    }
  }

  private interface Run {
    void call() throws Exception;
  }

  private static void everyStopEnds(Callback callback) throws Exception {
    FramedServer server = callback.server();
    try (EchoPeer peer = EchoPeer.of(server)) {
      FramedServers.awaitOpenOrHeld(server, callback.held);
      provoke(callback.place, peer);
      if (callback.place != Place.STOPPING) {
        callback.awaitHeld();
      }

      CompletableFuture<Thread> thread = new CompletableFuture<>();
      CompletableFuture<Boolean> keepsTheFlag = Threads.call(() -> {
        thread.complete(Thread.currentThread());
        server.stop(Duration.ofDays(1));
        return Thread.currentThread().isInterrupted();
      });
      CompletableFuture<?>[] stops = Stream.of(Stop.values())
          .map(stop -> Threads.run(() -> stop.stop(server)))
          .toArray(CompletableFuture[]::new);
      thread.get().interrupt();
      CompletableFuture.allOf(stops).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      assertThat(keepsTheFlag.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
      assertThat(callback.release.getCount()).isOne();
    } finally {
      callback.release.countDown();
    }
    assertThat(server.awaitTermination(Duration.ofSeconds(PATIENCE_SECONDS))).isTrue();
    Await.until("all is given back", () -> server.memoryUsed() == 0);
    assertThat(server.counters().connectionsOpen()).isZero();
  }

  private static void reportTellsWhatIsCutAndTheLogWhoHoldsIt(Callback callback) throws Exception {
    FramedServer server = callback.server();
    try (FramedServers.Log log = new FramedServers.Log();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.send(new byte[1]);
      callback.awaitHeld();

      StopReport report = server.stop(TIMEOUT);

      assertThat(report.cut()).isOne();
      assertThat(server.isTerminated()).isFalse();
      assertThat(log.records)
          .anySatisfy(line -> assertThat(line)
              .startsWith("WARNING stop: a callback still holds its event loop (peer "
                  + peer.address() + ")")
              .contains("Callback.hold"));
      callback.release.countDown();
      assertThat(server.awaitTermination(Duration.ofSeconds(PATIENCE_SECONDS))).isTrue();
      peer.expectClosed();
    }
  }

  /**
   * One loop is held; the connections of the other still get their replies, and the time for them.
   */
  private static void connectionsOfOtherLoopsAreDrained(Callback callback) throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    FramedServer server = FramedServer.builder()
        .eventLoopThreads(2)
        .reactiveHandler(connection -> {
          if (begun.getCount() > 0) {
            begun.countDown();
            callback.hold();
          } else {
            connection.publisher().subscribe(connection.subscriber());
          }
        })
        .start();
    EchoPeer holds = EchoPeer.of(server);
    try {
      callback.awaitHeld();
      EchoPeer other = null;
      // Connections go to the loops in turn, so that one of two gets to the one that is free.
      // If the loop that accepts is held, none does, and there is nothing to see.
      for (int i = 0; i < 2 && other == null; i++) {
        EchoPeer tried = EchoPeer.of(server);
        tried.socket.setSoTimeout(1_000);
        try {
          tried.echo((byte) 1);
          other = tried;
        } catch (java.net.SocketTimeoutException waits) {
          tried.close();
        }
      }
      StopReport report = server.stop(Duration.ofSeconds(3));

      if (other != null) {
        assertThat(report.finished()).isGreaterThanOrEqualTo(1);
        assertThat(other.receive()).isNull();
        other.close();
      }
    } finally {
      callback.release.countDown();
      holds.close();
    }
    assertThat(server.awaitTermination(Duration.ofSeconds(PATIENCE_SECONDS))).isTrue();
  }

  /** Its own time was once of no account: it waited for the first one's. */
  @Test
  void secondStopDoesNotWaitForTheTimeOfTheFirst() throws Exception {
    Callback callback = callback(Place.BLOCKING_HANDLER);
    FramedServer server = callback.server();
    try (EchoPeer peer = EchoPeer.of(server)) {
      callback.awaitHeld();
      CompletableFuture<StopReport> first = Threads.call(() -> server.stop(Duration.ofDays(1)));
      FramedServers.awaitOpen(server, 1);

      StopReport second = server.stop(TIMEOUT);

      StopReport report = first.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      assertThat(report.cut() + second.cut()).isOne();
      assertThat(server.isTerminated()).isTrue();
      peer.expectClosed();
    }
  }
}
