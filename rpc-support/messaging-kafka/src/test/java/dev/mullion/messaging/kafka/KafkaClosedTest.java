package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
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
    Route.Queue queue = TestParts.queue("nobodys", 3, false);
    KafkaLink link = open();
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

  private static KafkaLink open() throws Exception {
    return (KafkaLink) KafkaEngine.builder(KafkaUnderTest.node().servers())
        .prefix("closed-" + UUID.randomUUID().toString().substring(0, 8))
        .build()
        .open(TestParts.context());
  }

  // A subscriber that came too late started a reader that nobody ended.
  @Test
  void closedLinkStartsNoReader() throws Exception {
    KafkaLink link = open();
    link.close(Duration.ofMillis(100));
    assertThatThrownBy(link::live).hasMessage("messaging is closed");
  }

  // The consumer of a question that took longer than the close was never closed.
  @Test
  void readerIsClosedAfterTheQuestionUnderWay() throws Exception {
    KafkaLink link = open();
    Reader reader = link.letterReader();
    CompletableFuture<Void> begun = new CompletableFuture<>();
    CompletableFuture<Boolean> answer = new CompletableFuture<>();
    CompletableFuture<Boolean> asked = new CompletableFuture<>();
    Thread asking = new Thread(() -> {
      try {
        asked.complete(reader.locked("a question", () -> {
          begun.complete(null);
          return answer.join();
        }));
      } catch (MessagingException e) {
        asked.completeExceptionally(e);
      }
    });
    asking.start();
    begun.get(20, TimeUnit.SECONDS);
    link.close(Duration.ofMillis(100));
    answer.complete(true);
    assertThat(asked.get(20, TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(() -> reader.locked("another one", () -> true))
        .hasMessage("messaging is closed");
    assertThatThrownBy(() -> reader.endOf(new TopicPartition("any", 0)))
        .hasMessageContaining("closed");
  }
}
