package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.testing.UnheardEvents;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What is under way when a link closes fails, and is told why. */
class KafkaClosedTest {
  private static void assertClosed(CompletionStage<?> stage) {
    assertThatThrownBy(() -> stage.toCompletableFuture().get(20, TimeUnit.SECONDS))
        .cause()
        .hasMessageMatching(".*messaging (is|was) closed.*");
  }

  // A request waited until its timeout, and a push was told that its broker had failed.
  @Test
  void sendsUnderWayAreToldThatMessagingIsClosed() throws Exception {
    Route.Queue queue = new Route.Queue(
        "nobodys",
        Optional.empty(),
        Redelivery.immediate(3),
        Duration.ofSeconds(30),
        false,
        0,
        0,
        Overflow.BLOCK,
        10,
        Duration.ofDays(1));
    EngineContext context = new EngineContext(
        new UnheardEvents(), ForkJoinPool.commonPool(), 10, Duration.ofSeconds(10));
    EngineLink link = KafkaEngine.builder(KafkaUnderTest.node().servers())
        .prefix("closed-" + UUID.randomUUID().toString().substring(0, 8))
        .build()
        .open(context);
    Message<byte[]> message = Message.of(Codecs.utf8().encode("message"));
    CompletionStage<Void> request =
        link.request(new Route.Subject("nobodys"), 1, message, Duration.ofMinutes(5));
    CompletionStage<Void> push = link.send(queue, message); // waits for a topic
    link.close(Duration.ofMillis(100));
    assertClosed(request);
    assertClosed(push);
    assertClosed(link.send(queue, message));
    assertClosed(link.queues());
  }
}
