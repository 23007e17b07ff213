package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.Relay;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** The broker does not read, or does not answer. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class SilentBrokerTest {
  private final WorkQueue<String> queue =
      WorkQueue.of("silent-" + System.nanoTime(), Codecs.utf8());
  private final CompletableFuture<Throwable> lost = new CompletableFuture<>();
  private final CompletableFuture<Duration> restored = new CompletableFuture<>();
  private final MessagingListener listener = new MessagingListener() {
    @Override
    public void connectionLost(String where, Throwable cause) {
      lost.complete(cause);
    }

    @Override
    public void connectionRestored(String where, Duration after) {
      restored.complete(after);
    }
  };

  /** A connection on which nothing is confirmed is made again before its sends fail. */
  @Test
  void pushIsRepeatedOnAnotherConnection() throws Exception {
    try (Relay relay = new Relay();
        Messaging messaging = Messaging.builder(engine(relay, 2, 12))
            .sendTimeout(Duration.ofSeconds(60))
            .listener(listener)
            .start()) {
      messaging.declare(queue);
      messaging.push(queue, "before").get(30, TimeUnit.SECONDS);
      relay.hold(true);
      CompletableFuture<Void> pushed = messaging.push(queue, "meanwhile");

      assertThat(lost.get(30, TimeUnit.SECONDS))
          .hasStackTraceContaining("nothing was confirmed for 4000 ms (see confirmTimeout)");
      assertThat(pushed).isNotDone();
      relay.cut();
      relay.hold(false);
      pushed.get(60, TimeUnit.SECONDS);
    }
  }

  // The event loop waited, for up to the connect timeout, for the lock of a channel whose writer
  // waited for the event loop.
  @Test
  void lossWithoutRoomIsSeenAtOnce() throws Exception {
    WorkQueue<byte[]> large = WorkQueue.of(queue.name() + "-large", Codecs.bytes());
    List<CompletableFuture<Void>> pushed = new ArrayList<>();
    try (Relay relay = new Relay();
        Messaging messaging = Messaging.builder(engine(relay, 60, 600))
            .sendTimeout(Duration.ofSeconds(90))
            .listener(listener)
            .start()) {
      messaging.declare(large);
      messaging.push(large, new byte[1]).get(30, TimeUnit.SECONDS);
      relay.hold(true);
      for (int i = 0; i < 30; i++) {
        pushed.add(messaging.push(large, new byte[1_000_000]));
      }
      CountDownLatch never = new CountDownLatch(1);
      while (!publisherWaitsForRoom()) {
        assertThat(never.await(5, TimeUnit.MILLISECONDS)).isFalse();
      }
      relay.cut();
      relay.hold(false);
      lost.get(10, TimeUnit.SECONDS);
      restored.get(20, TimeUnit.SECONDS);
      CompletableFuture.allOf(pushed.toArray(CompletableFuture[]::new)).get(60, TimeUnit.SECONDS);
    }
  }

  private static boolean publisherWaitsForRoom() {
    return Thread.getAllStackTraces().values().stream()
        .filter(stack -> Stream.of(stack).anyMatch(is("Publisher", "pass")))
        .flatMap(Stream::of)
        .anyMatch(is("WriteGate", "awaitOpen"));
  }

  private static Predicate<StackTraceElement> is(String type, String method) {
    return call ->
        call.getClassName().endsWith("." + type) && call.getMethodName().equals(method);
  }

  private static RabbitMqEngine engine(Relay relay, int connectSeconds, int confirmSeconds)
      throws Exception {
    relay.to(Broker.shared().port());
    return RabbitMqEngine.builder()
        .addresses("127.0.0.1:" + relay.port())
        .prefix("silent")
        .connectTimeout(Duration.ofSeconds(connectSeconds))
        .maxBackoff(Duration.ofMillis(200))
        .awayTimeout(Duration.ofSeconds(60))
        .confirmTimeout(Duration.ofSeconds(confirmSeconds))
        .build();
  }
}
