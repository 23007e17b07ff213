package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** When a subscription starts another share consumer, and how soon one commits. */
class SharePoolTest {
  private static final int JOBS = 500;

  private final String name = "pool-" + UUID.randomUUID().toString().substring(0, 8);

  @Test
  void quickHandlersGetASecondConsumer() throws Exception {
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    CountDownLatch handled = new CountDownLatch(JOBS);
    try (Messaging messaging = Messaging.on(KafkaEngine.on(KafkaUnderTest.node().servers()))) {
      List<CompletableFuture<Void>> sends = new ArrayList<>();
      for (int i = 0; i < JOBS; i++) {
        sends.add(messaging.push(queue, "job"));
      }
      for (CompletableFuture<Void> each : sends) {
        each.get(20, TimeUnit.SECONDS);
      }
      messaging.worker(queue).concurrency(1).prefetch(40).start(job -> handled.countDown());
      assertThat(handled.await(30, TimeUnit.SECONDS)).isTrue();
      assertThat(consumers("queue." + name)).isGreaterThanOrEqualTo(2);
    }
  }

  private static long consumers(String group) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(each -> each.getName().equals("mullion-kafka-" + group))
        .count();
  }

  // Each request waited for others, and so did its caller.
  @Test
  void requestsAreAcceptedAtOnce() throws Exception {
    EngineLink link = KafkaEngine.builder(KafkaUnderTest.node().servers())
        .prefix(name)
        .build()
        .open(TestParts.context());
    try {
      SharePool replier = (SharePool) link.consume(
          new Route.Subject("prices"),
          new ConsumerSettings(1, 1, 1, Overflow.BLOCK),
          TestParts.keeping(new ConcurrentLinkedQueue<>()));
      assertThat(replier.lingerNanos()).isZero();
    } finally {
      link.close(Duration.ofSeconds(5));
    }
  }
}
