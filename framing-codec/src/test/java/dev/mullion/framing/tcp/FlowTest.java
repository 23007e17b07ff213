package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Flow;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the rules of {@link Flow} do not say of a connection's publisher and subscriber. */
@Timeout(60)
class FlowTest {
  private static final int LENGTH = 1_500_000;

  /** Writes down what it is told. */
  private static class Recorder implements Flow.Subscriber<byte[]> {
    final List<String> signals = new CopyOnWriteArrayList<>();
    final CompletableFuture<Flow.Subscription> subscription = new CompletableFuture<>();

    @Override
    public void onSubscribe(Flow.Subscription given) {
      signals.add("onSubscribe");
      subscription.complete(given);
    }

    @Override
    public void onNext(byte[] frame) {
      signals.add("onNext");
    }

    @Override
    public void onError(Throwable error) {
      signals.add("onError");
    }

    @Override
    public void onComplete() {
      signals.add("onComplete");
    }
  }

  /**
   * All of 64 frames were asked for at once, and the third failed for want of room; or the last was
   * refused, since it still waited for room when the publisher completed.
   */
  @RepeatedTest(5)
  void framesLongerThanTheQueueAreAllSentToASlowPeer() throws Exception {
    CompletableFuture<Void> go = new CompletableFuture<>();
    CompletableFuture<Integer> received = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              go.get();
              int frames = 0;
              for (byte[] frame : connection) {
                frames += frame.length == LENGTH ? 1 : 0;
              }
              received.complete(frames);
            })
            .start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      try (SubmissionPublisher<byte[]> source = new SubmissionPublisher<>()) {
        source.subscribe(client.connection().subscriber());
        for (int i = 0; i < 6; i++) {
          source.submit(new byte[LENGTH]);
        }
      }
      Await.until("the first is being sent", () -> client.counters().frames().framesEncoded() > 0);
      go.complete(null);

      assertThat(received.get(20, TimeUnit.SECONDS)).isEqualTo(6);
      assertThat(client.counters().sendsRefused()).isZero();
    }
  }

  /** Nothing was said to one who came when the event loop had ended, or who asked for more then. */
  @Test
  void subscriberIsToldOfTheEndWhenTheEventLoopHasEnded() throws Exception {
    try (FramedServer server = FramedServer.builder()
        .closeTimeout(Duration.ZERO)
        .reactiveHandler(connection -> connection.sendAsync(new byte[1]))
        .start()) {
      FramedClient client = FramedClient.connect("127.0.0.1", server.port());
      FramedConnection connection = client.connection();
      FramedClient other = FramedClient.connect("127.0.0.1", server.port());
      Recorder early = new Recorder();
      connection.publisher().subscribe(early);
      Flow.Subscription subscription = early.subscription.get(20, TimeUnit.SECONDS);
      Await.until("a frame has come", () -> connection.link().bytesNotTaken() > 0);
      client.close();
      other.close();
      Await.until(
          "their loops have ended",
          () -> connection.link().context().executor().isTerminated()
              && other.connection().link().context().executor().isTerminated());

      subscription.request(5);
      assertThat(early.signals).containsExactly("onSubscribe", "onNext", "onError");
      Recorder late = new Recorder();
      other.connection().publisher().subscribe(late);
      assertThat(late.signals.get(0)).isEqualTo("onSubscribe");
      late.subscription.get().request(5);
      assertThat(late.signals).endsWith("onError");
    }
  }

  /** It was not closed if the exception came out of a call that a request had caused. */
  @Test
  void subscriberThatThrowsHasItsConnectionClosed() throws Exception {
    Recorder thrower = new Recorder() {
      @Override
      public void onNext(byte[] frame) {
        super.onNext(frame);
        throw new IllegalStateException("thrown by the test");
      }
    };
    try (FramedServer server = FramedServer.builder()
            .reactiveHandler(connection -> connection.publisher().subscribe(thrower))
            .start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      client.connection().send(new byte[1]);
      client.connection().send(new byte[1]);
      Flow.Subscription subscription = thrower.subscription.get(20, TimeUnit.SECONDS);
      subscription.request(5);

      Await.until("it is closed", () -> server.counters().connectionsOpen() == 0);
      subscription.request(5);
      assertThat(server.counters().handlersFailed()).isOne();
      assertThat(thrower.signals).containsExactly("onSubscribe", "onNext");
    }
  }
}
