package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramePart;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.OneByteLength;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever a callback throws, from whichever callback, has the same end: it is counted and logged
 * once, its connection ends with it, everybody who waits is told, all memory is given back, and the
 * other connections go on. An exception that is checked and not declared, as Kotlin's and Lombok's,
 * once left the connection half ended.
 */
@Timeout(60)
class UserCodeTest {
  private static final byte[] GOOD = {1};
  private static final byte[] BAD = {2};

  /** What is thrown. */
  @SuppressWarnings("ImmutableEnumChecker") // No supplier has a state.
  private enum Kind {
    RUNTIME(() -> new IllegalStateException("thrown by the test")),
    CHECKED(() -> new IOException("thrown by the test")),
    INTERRUPTED(() -> new InterruptedException("thrown by the test")),
    STACK(() -> new StackOverflowError("thrown by the test")),
    MEMORY(() -> new OutOfMemoryError("thrown by the test")),
    LINKAGE(() -> new NoClassDefFoundError("thrown by the test")),
    ERROR(() -> new Error("thrown by the test")),
    OTHER(() -> new Throwable("thrown by the test"));

    private final Supplier<Throwable> made;

    Kind(Supplier<Throwable> made) {
      this.made = made;
    }

    void raise() {
      UserCodeTest.<RuntimeException>sneak(made.get());
    }
  }

  @SuppressWarnings("unchecked") // The very trick of compilers that know no checked exceptions.
  private static <T extends Throwable> void sneak(Throwable thrown) throws T {
    throw (T) thrown;
  }

  /** From where it is thrown, on the connection that sends {@link #BAD}. */
  private enum Place {
    HANDLER {
      @Override
      FramedServerBuilder server(Calls calls) {
        return FramedServer.builder().handler(connection -> {
          calls.made(connection);
          for (byte[] frame : connection) {
            calls.on(frame);
            connection.send(frame);
          }
        });
      }
    },
    EXECUTOR {
      @Override
      FramedServerBuilder server(Calls calls) {
        Executor executor = task -> {
          if (calls.isBadNext()) {
            calls.kind.raise();
          }
          Threads.run(task);
        };
        return HANDLER.server(calls).executor(executor);
      }
    },
    OPENED,
    FRAMES,
    PART,
    INPUT_ENDED,
    CLOSED,
    REACTIVE_HANDLER {
      @Override
      FramedServerBuilder server(Calls calls) {
        return FramedServer.builder().reactiveHandler(connection -> {
          calls.made(connection);
          calls.at(this);
          connection.publisher().subscribe(connection.subscriber());
        });
      }
    },
    ON_SUBSCRIBE {
      @Override
      FramedServerBuilder server(Calls calls) {
        return subscribed(calls, this);
      }
    },
    ON_NEXT {
      @Override
      FramedServerBuilder server(Calls calls) {
        return subscribed(calls, this);
      }
    },
    REQUEST {
      @Override
      FramedServerBuilder server(Calls calls) {
        return FramedServer.builder().reactiveHandler(connection -> {
          calls.made(connection);
          connection.subscriber().onSubscribe(new Flow.Subscription() {
            @Override
            public void request(long frames) {
              calls.at(REQUEST);
            }

            @Override
            public void cancel() {}
          });
          connection.publisher().subscribe(new Replies(calls, connection, null));
        });
      }
    };

    FramedServerBuilder server(Calls calls) {
      return FramedServer.builder().parts(true).batchHandler(() -> new Batches(calls, this));
    }

    private static FramedServerBuilder subscribed(Calls calls, Place place) {
      return FramedServer.builder().reactiveHandler(connection -> {
        calls.made(connection);
        connection.publisher().subscribe(new Replies(calls, connection, place));
      });
    }

    /** Whether it is called before a frame has come. */
    boolean isFirst() {
      return List.of(EXECUTOR, OPENED, REACTIVE_HANDLER, ON_SUBSCRIBE, REQUEST).contains(this);
    }
  }

  /** What the callbacks of one server share: the second connection is the one that fails. */
  private static final class Calls {
    final Kind kind;
    final List<FramedConnection> made = new ArrayList<>();

    Calls(Kind kind) {
      this.kind = kind;
    }

    synchronized void made(FramedConnection connection) {
      made.add(connection);
    }

    synchronized boolean isBadNext() {
      return made.size() == 1;
    }

    synchronized boolean isBad(FramedConnection connection) {
      return made.indexOf(connection) == 1;
    }

    synchronized FramedConnection bad() {
      return made.get(1);
    }

    synchronized int size() {
      return made.size();
    }

    void on(byte[] frame) {
      if (Arrays.equals(frame, BAD)) {
        kind.raise();
      }
    }

    /** In a call for the connection that was made last. */
    synchronized void at(Place ignored) {
      if (made.size() == 2) {
        kind.raise();
      }
    }
  }

  private record Batches(Calls calls, Place place) implements BatchHandler {
    private void at(Place here, FramedConnection connection) {
      if (here == place && calls.isBad(connection)) {
        calls.kind.raise();
      }
    }

    @Override
    public void opened(FramedConnection connection) {
      calls.made(connection);
      at(Place.OPENED, connection);
    }

    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      connection.reply(batch.encoded());
      at(Place.FRAMES, connection);
    }

    @Override
    public void part(FramedConnection connection, FramePart part) {
      at(Place.PART, connection);
    }

    @Override
    public void inputEnded(FramedConnection connection) {
      at(Place.INPUT_ENDED, connection);
      connection.closeWhenSent();
    }

    @Override
    public void closed(FramedConnection connection, @Nullable Throwable cause) {
      connection.reply(GOOD); // Nobody gets it, and nothing is held for it.
      at(Place.CLOSED, connection);
    }
  }

  private record Replies(
      Calls calls, FramedConnection connection, @Nullable Place place)
      implements Flow.Subscriber<byte[]> {
    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      subscription.request(Long.MAX_VALUE);
      if (place == Place.ON_SUBSCRIBE) {
        calls.at(place);
      }
    }

    @Override
    public void onNext(byte[] frame) {
      if (place == Place.ON_NEXT) {
        calls.on(frame);
      }
      connection.sendAsync(frame);
    }

    @Override
    public void onError(Throwable error) {}

    @Override
    public void onComplete() {
      connection.closeWhenSent();
    }
  }

  private static Stream<Arguments> throwing() {
    return Stream.of(Place.values())
        .flatMap(place -> Stream.of(Kind.values()).map(kind -> Arguments.of(place, kind)));
  }

  @ParameterizedTest(name = "{1} from {0}")
  @MethodSource("throwing")
  void everyThrowableHasTheSameEnd(Place place, Kind kind) throws Exception {
    Calls calls = new Calls(kind);
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server =
            place.server(calls).eventLoopThreads(1).outboundHighWaterMark(1000).start();
        EchoPeer good = EchoPeer.of(server)) {
      good.echo(GOOD);
      EchoPeer bad = EchoPeer.of(server);
      List<CompletableFuture<?>> waiting = new ArrayList<>();
      if (!place.isFirst()) {
        Await.until("the second connection is there", () -> calls.size() == 2);
        waiting.addAll(waitForIt(calls.bad()));
        provoke(place, bad);
      } else {
        bad.expectClosed();
      }

      Await.until("it is counted", () -> server.counters().handlersFailed() == 1);
      for (CompletableFuture<?> each : waiting) {
        each.handle((done, error) -> null).get(20, TimeUnit.SECONDS);
      }
      FramedServers.awaitOpen(server, 1);
      if (place != Place.EXECUTOR) {
        CompletableFuture<Void> closed = calls.bad().closed().toCompletableFuture();
        // closed() is called when the connection has ended already, by a reset.
        String first = place == Place.CLOSED ? "" : "thrown by the test";
        assertThatThrownBy(() -> closed.get(20, TimeUnit.SECONDS))
            .rootCause()
            .hasMessageContaining(first);
      }
      assertThat(log.records)
          .filteredOn(line -> line.startsWith("WARNING"))
          .containsExactly(
              "WARNING handler failed, closing connection (peer " + bad.address() + ")");
      bad.close();
      good.echo(GOOD).close();
      awaitEmpty(server);
      assertThat(server.counters().handlersFailed()).isOne();
      assertThat(server.counters().connectionsWaiting()).isZero();
    }
  }

  /** Fills the connection, so that one sender waits for room, and one future. */
  private static List<CompletableFuture<?>> waitForIt(FramedConnection connection)
      throws Exception {
    List<CompletableFuture<?>> waiting = new ArrayList<>();
    byte[] frame = new byte[1024 * 1024];
    for (int i = 0; i < 8; i++) {
      waiting.add(connection.sendAsync(frame));
    }
    waiting.add(Threads.run(() -> {
      try {
        for (int i = 0; i < 100; i++) {
          connection.send(frame);
        }
      } catch (IOException told) {
        // As it should be.
      }
    }));
    waiting.add(connection.closed().toCompletableFuture());
    return waiting;
  }

  private static void provoke(Place place, EchoPeer bad) throws Exception {
    switch (place) {
      case PART -> bad.write(0, 16, 0, 0, 1);
      case INPUT_ENDED -> bad.halfClose();
      case CLOSED -> bad.reset();
      default -> bad.send(BAD);
    }
  }

  /** Throws at the length 9, when it is read or when it is written. */
  private record FailingLength(Kind kind, boolean atRead) implements OneByteLength {
    @Override
    public long maxValue() {
      return 100;
    }

    @Override
    public long read(ByteBuffer in) {
      byte length = in.get();
      if (atRead && length == 9) {
        kind.raise();
      }
      return length;
    }

    @Override
    public void write(long value, ByteBuffer out) {
      if (!atRead && value == 9) {
        kind.raise();
      }
      out.put((byte) value);
    }
  }

  @ParameterizedTest
  @EnumSource
  void lengthEncodingThatFailsEndsTheConnection(Kind kind) throws Exception {
    FrameFormat format =
        FrameFormat.builder().lengthEncoding(new FailingLength(kind, true)).build();
    for (FramedServerTest.Way way : FramedServerTest.Way.values()) {
      try (FramedServer server =
              way.echo().format(format).closeTimeout(Duration.ofMillis(200)).start();
          EchoPeer peer = EchoPeer.of(server, format)) {
        peer.echo(GOOD).write(9).expectClosed();
        awaitEmpty(server);
        assertThat(server.counters().frames().framesCorrupt()).isOne();
        FramedServers.awaitFailed(server, 1);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void frameThatCannotBeEncodedIsRefusedAndNothingElse(Kind kind) throws Exception {
    FrameFormat format =
        FrameFormat.builder().lengthEncoding(new FailingLength(kind, false)).build();
    try (FramedServer server =
            FramedServerTest.Way.BLOCKING.echo().format(format).start();
        FramedClient client =
            FramedClient.builder().port(server.port()).format(format).connect()) {
      byte[] bad = new byte[9];
      assertThatThrownBy(() -> client.connection().send(bad))
          .hasMessageContaining("failed to write 9");
      assertThatThrownBy(() -> client.connection().trySend(bad)).isInstanceOf(IOException.class);
      assertThatThrownBy(() -> client.request(bad).get()).hasCauseInstanceOf(IOException.class);
      assertThat(client.request(GOOD).get(20, TimeUnit.SECONDS)).isEqualTo(GOOD);
    }
  }
}
