package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import java.util.List;
import java.util.concurrent.Flow;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Handlers that fail with an error, and not with an exception: their peers must not wait for ever.
 */
@Timeout(60)
class HandlerErrorTest {
  /** Throws an error at the first frame. */
  private static FramedServerBuilder failing(Way way) {
    FramedServerBuilder builder = FramedServer.builder();
    return switch (way) {
      case BLOCKING ->
        builder.handler(connection -> {
          connection.receive();
          throw new StackOverflowError("thrown by the test");
        });
      case BATCH ->
        builder.batchHandler(() -> (connection, batch) -> {
          throw new StackOverflowError("thrown by the test");
        });
      case REACTIVE ->
        builder.reactiveHandler(connection -> connection.publisher().subscribe(new Thrower()));
    };
  }

  private static final class Thrower implements Flow.Subscriber<byte[]> {
    @Override
    public void onSubscribe(Flow.Subscription subscription) {
      subscription.request(1);
    }

    @Override
    public void onNext(byte[] frame) {
      throw new StackOverflowError("thrown by the test");
    }

    @Override
    public void onError(Throwable error) {}

    @Override
    public void onComplete() {}
  }

  /** The connection of a blocking handler stayed open until it was idle for too long. */
  @ParameterizedTest
  @EnumSource
  void errorClosesTheConnectionAndIsLogged(Way way) throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = failing(way).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.send(new byte[1]).expectClosed();

      awaitEmpty(server);
      assertThat(server.counters().handlersFailed()).isOne();
      assertThat(log.records)
          .containsExactly(
              "WARNING handler failed, closing connection (peer " + peer.address() + ")");
    }
  }

  @Test
  void errorAtTheBeginningClosesTheConnectionToo() throws Exception {
    BatchHandler handler = new BatchHandler() {
      @Override
      public void opened(FramedConnection connection) {
        throw new StackOverflowError("thrown by the test");
      }

      @Override
      public void frames(FramedConnection connection, dev.mullion.framing.FrameBatch batch) {}
    };
    try (FramedServer server =
            FramedServer.builder().batchHandler(() -> handler).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.expectClosed();

      awaitEmpty(server);
      assertThat(server.counters().handlersFailed()).isOne();
    }
  }

  /** Nothing counted it, and it was not in this library's log. */
  @Test
  void handlerThatCannotBeMadeClosesTheConnectionAndIsLogged() throws Exception {
    List<Supplier<BatchHandler>> suppliers = List.of(
        () -> {
          throw new IllegalStateException("thrown by the test");
        },
        HandlerErrorTest::nothing);
    for (Supplier<BatchHandler> supplier : suppliers) {
      try (FramedServers.Log log = new FramedServers.Log();
          FramedServer server = FramedServer.builder().batchHandler(supplier).start();
          EchoPeer peer = EchoPeer.of(server)) {
        peer.expectClosed();

        awaitEmpty(server);
        assertThat(server.counters().handlersFailed()).isOne();
        assertThat(log.records)
            .containsExactly("WARNING batchHandler made no handler, closing connection (peer "
                + peer.address() + ")");
      }
    }
  }

  @SuppressWarnings("NullAway") // What a user without it may do.
  private static BatchHandler nothing() {
    return null;
  }
}
