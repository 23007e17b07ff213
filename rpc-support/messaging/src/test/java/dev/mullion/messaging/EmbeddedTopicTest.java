package dev.mullion.messaging;

import static dev.mullion.messaging.EmbeddedFixture.ACKNOWLEDGE;
import static dev.mullion.messaging.EmbeddedFixture.await;
import static dev.mullion.messaging.EmbeddedFixture.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EmbeddedTopicTest {
  private static final Route.Topic NEWS = new Route.Topic("news");

  private final EmbeddedFixture embedded = new EmbeddedFixture();
  private final RecordingSink sink = new RecordingSink();

  @AfterEach
  void close() {
    embedded.close();
  }

  @Test
  void eachSubscriberGetsEachMessage() throws Exception {
    RecordingSink other = new RecordingSink();
    embedded.push(NEWS, "before");
    embedded.consume(NEWS, sink).request(8);
    embedded.consume(NEWS, other).request(1);
    embedded.push(NEWS, "a", "b");
    assertThat(sink.texts()).containsExactly("a", "b");
    assertThat(other.texts()).containsExactly("a");
    assertThat(sink.last().address()).isEqualTo("news");
    assertThat(EmbeddedFixture.settle(sink.last(), ACKNOWLEDGE)).isEqualTo(Settlement.APPLIED);
  }

  @Test
  void subscribersShareOneMessage() throws Exception {
    RecordingSink other = new RecordingSink();
    RecordingSink all = new RecordingSink();
    embedded.consume(NEWS, sink).request(8);
    embedded.consume(NEWS, other).request(8);
    embedded.consume(new Route.Topic("#"), all).request(8);
    embedded.push(NEWS, "a");
    assertThat(other.last().message()).isSameAs(sink.last().message());
    assertThat(all.last().message()).isSameAs(sink.last().message());
    assertThat(all.last().address()).isEqualTo("news");
  }

  @Test
  void theBufferDropsTheOldest() throws Exception {
    Source source = embedded.consume(NEWS, sink, 2, Overflow.DROP_OLDEST);
    embedded.push(NEWS, "a", "b", "c", "d");
    assertThat(sink.dropped).hasValue(2);
    source.request(8);
    assertThat(sink.texts()).containsExactly("c", "d");
  }

  @Test
  void theBufferIsBoundedByBytesToo() throws Exception {
    Source source = consume(10, Overflow.DROP_OLDEST);
    embedded.push(NEWS, "1234", "5678", "90", "abc");
    assertThat(sink.dropped).hasValue(1);
    source.request(8);
    assertThat(sink.texts()).containsExactly("5678", "90", "abc");
  }

  @Test
  void aMessageThatIsLargerThanTheBufferWaitsAlone() throws Exception {
    Source source = consume(10, Overflow.DROP_OLDEST);
    embedded.push(NEWS, "1234", "5678", "more than ten", "90");
    assertThat(sink.dropped).hasValue(3);
    embedded.push(NEWS, "again more than ten");
    assertThat(sink.dropped).hasValue(4);
    source.request(8);
    assertThat(sink.texts()).containsExactly("again more than ten");
  }

  @Test
  void publishersWaitForRoomByBytes() throws Exception {
    Source source = consume(10, Overflow.BLOCK);
    embedded.push(NEWS, "1234567", "890");
    CompletionStage<Void> waits = embedded.link.send(NEWS, message("a"));
    assertThat(waits.toCompletableFuture()).isNotDone();
    source.request(1);
    await(waits);
    source.request(8);
    assertThat(sink.texts()).containsExactly("1234567", "890", "a");
  }

  /** They waited on, and failed in their turn. */
  @Test
  void aSmallPublishIsTakenWhenTheLargeOneBeforeItIsTooLate() throws Exception {
    Source source = consume(10, Overflow.BLOCK);
    embedded.push(NEWS, "12345");
    CompletableFuture<Void> large =
        embedded.link.send(NEWS, message("67890a")).toCompletableFuture();
    embedded.clock.advance(Duration.ofMillis(9_999));
    CompletableFuture<Void> small = embedded.link.send(NEWS, message("b")).toCompletableFuture();
    assertThat(small).isNotDone();
    embedded.clock.advance(Duration.ofMillis(1));
    assertSmallIsTaken(source, large, small);
  }

  @Test
  void aSmallPublishIsTakenWhenTheLinkOfTheLargeOneBeforeItIsClosed() throws Exception {
    Source source = consume(10, Overflow.BLOCK);
    embedded.push(NEWS, "12345");
    EngineLink other = embedded.open(Duration.ofSeconds(10));
    CompletableFuture<Void> large = other.send(NEWS, message("67890a")).toCompletableFuture();
    CompletableFuture<Void> small = embedded.link.send(NEWS, message("b")).toCompletableFuture();
    assertThat(small).isNotDone();
    other.close();
    assertSmallIsTaken(source, large, small);
  }

  private void assertSmallIsTaken(
      Source source, CompletableFuture<Void> large, CompletableFuture<Void> small) {
    assertThat(large).isCompletedExceptionally();
    assertThat(small).isCompleted();
    source.request(8);
    assertThat(sink.texts()).containsExactly("12345", "b");
  }

  @Test
  void publishersFailForLackOfBytes() throws Exception {
    consume(3, Overflow.FAIL);
    embedded.push(NEWS, "abc");
    assertThatThrownBy(() -> await(embedded.link.send(NEWS, message("d"))))
        .hasMessageContaining("is full: 1 messages of buffer 100 and 3 bytes of bufferBytes 3");
  }

  private Source consume(long bytes, Overflow overflow) throws Exception {
    return embedded.link.consume(NEWS, new ConsumerSettings(8, 8, 100, bytes, overflow), sink);
  }

  @Test
  void theBufferDropsTheNewest() throws Exception {
    Source source = embedded.consume(NEWS, sink, 2, Overflow.DROP_NEWEST);
    embedded.push(NEWS, "a", "b", "c", "d");
    assertThat(sink.dropped).hasValue(2);
    source.request(8);
    assertThat(sink.texts()).containsExactly("a", "b");
  }

  @Test
  void aFullSubscriberFailsThePublishAndOthersGetIt() throws Exception {
    RecordingSink other = new RecordingSink();
    embedded.consume(NEWS, sink, 1, Overflow.FAIL);
    embedded.consume(NEWS, other).request(8);
    embedded.push(NEWS, "a");
    assertThatThrownBy(() -> embedded.push(NEWS, "b"))
        .cause()
        .isInstanceOfSatisfying(
            QueueFullException.class, error -> assertThat(error.maybeAccepted()).isTrue())
        .hasMessageStartingWith(
            "a subscriber of news is full: 1 messages of buffer 1 and 1 bytes of bufferBytes");
    assertThat(other.texts()).containsExactly("a", "b");
    assertThat(sink.dropped).hasValue(0);
  }

  @Test
  void publishersWaitForRoomInTheirOrder() throws Exception {
    Source source = embedded.consume(NEWS, sink, 1, Overflow.BLOCK);
    embedded.push(NEWS, "a");
    CompletableFuture<Void> second = embedded.link.send(NEWS, message("b")).toCompletableFuture();
    CompletableFuture<Void> third = embedded.link.send(NEWS, message("c")).toCompletableFuture();
    source.request(1);
    assertThat(second).isDone();
    assertThat(third).isNotDone();
    source.request(8);
    assertThat(third).isDone();
    assertThat(sink.texts()).containsExactly("a", "b", "c");
  }

  @Test
  void aPublisherThatWaitedTooLongIsTold() throws Exception {
    Source source = embedded.consume(NEWS, sink, 1, Overflow.BLOCK);
    embedded.push(NEWS, "a");
    CompletableFuture<Void> late = embedded.link.send(NEWS, message("b")).toCompletableFuture();
    embedded.clock.advance(Duration.ofMillis(9_999));
    CompletableFuture<Void> next = embedded.link.send(NEWS, message("c")).toCompletableFuture();
    embedded.clock.advance(Duration.ofMillis(1));
    assertThat(late).isCompletedExceptionally();
    assertThat(next).isNotDone();
    source.request(8);
    assertThat(sink.texts()).containsExactly("a", "c");
    assertThat(next).isCompleted();
  }

  @Test
  void sendsThatWaitAreWithdrawnWithTheirLink() throws Exception {
    embedded.consume(NEWS, sink, 1, Overflow.BLOCK);
    Route.Queue small = EmbeddedFixture.builder("small").capacity(1).build().route();
    embedded.push(NEWS, "a");
    embedded.push(small, "a");
    EngineLink other = embedded.open(Duration.ofSeconds(10));
    CompletableFuture<Void> publish = other.send(NEWS, message("b")).toCompletableFuture();
    CompletableFuture<Void> push = other.send(small, message("b")).toCompletableFuture();
    assertThat(publish).isNotDone();
    assertThat(push).isNotDone();
    other.close();
    assertThatThrownBy(() -> await(publish)).hasRootCauseMessage("messaging is closed");
    assertThatThrownBy(() -> await(push)).hasRootCauseMessage("messaging is closed");
    assertThat(embedded.status("small").waiting()).isEqualTo(1);
  }

  @Test
  void whatExpiresInTheBufferIsDroppedAndCounted() throws Exception {
    Source source = embedded.consume(NEWS, sink);
    await(embedded.link.send(NEWS, message("a").withTimeToLive(Duration.ofSeconds(1))));
    embedded.push(NEWS, "b");
    embedded.clock.advance(Duration.ofSeconds(1));
    source.request(1);
    assertThat(sink.texts()).containsExactly("b");
    assertThat(sink.dropped).hasValue(1);
  }

  @Test
  void aGroupIsFedAndLiveSubscribersToo() throws Exception {
    Route.Queue group = Topic.of("orders.#", Codecs.bytes()).group("archive").route();
    embedded.link.prepare(group, EngineLink.Declaration.CHECK);
    embedded.push(new Route.Topic("orders"), "a");
    embedded.push(new Route.Topic("orders.eu.paid"), "b");
    embedded.push(new Route.Topic("order"), "c");
    embedded.consume(group, sink).request(8);
    assertThat(sink.texts()).containsExactly("a", "b");
    assertThat(sink.last().address()).isEqualTo("orders.eu.paid");
    embedded.link.prepare(
        Topic.of("orders.eu", Codecs.bytes()).group("archive").route(),
        EngineLink.Declaration.REPLACE);
    embedded.push(new Route.Topic("orders.us"), "d");
    embedded.push(new Route.Topic("orders.eu"), "e");
    assertThat(sink.texts()).containsExactly("a", "b", "e");
    await(embedded.link.delete(group));
    embedded.push(new Route.Topic("orders.eu"), "f");
    assertThat(sink.texts()).containsExactly("a", "b", "e");
  }

  @Test
  void aSubscriberThatCancelsGetsNoMore() throws Exception {
    Source source = embedded.consume(NEWS, sink);
    source.request(8);
    embedded.push(NEWS, "a");
    source.cancel();
    embedded.push(NEWS, "b");
    source.close();
    assertThat(sink.texts()).containsExactly("a");
  }

  @Test
  void idleMeansHandled() throws Exception {
    Source source = embedded.consume(NEWS, sink);
    embedded.push(NEWS, "a");
    assertThatThrownBy(() -> embedded.broker.awaitIdle(Duration.ZERO))
        .hasMessageContaining("subscriber of news");
    sink.busy = true;
    source.request(1);
    assertThatThrownBy(() -> embedded.broker.awaitIdle(Duration.ZERO))
        .hasMessageContaining("subscriber of news");
    sink.busy = false;
    embedded.broker.awaitIdle(Duration.ZERO);
  }

  /** What came to a subscriber after the look at it was not seen. */
  @Test
  void idleIsNotWhenAMessageCameMeanwhile() throws Exception {
    List<Route> seen = new ArrayList<>();
    for (Route topic : List.of(NEWS, new Route.Topic("others"))) {
      RecordingSink looking = new RecordingSink();
      looking.busyLook = () -> {
        seen.add(topic);
        if (seen.size() == 2) {
          embedded.link.send(seen.get(0), message("a"));
        }
      };
      embedded.consume(topic, looking);
    }
    assertThatThrownBy(() -> embedded.broker.awaitIdle(Duration.ZERO))
        .hasMessageContaining("messages under way");
  }

  @Test
  void whatASinkDoesNotTakeIsCounted() throws Exception {
    Source source = embedded.consume(NEWS, sink);
    embedded.push(NEWS, "a", "b", "c");
    sink.refuses = true;
    source.request(8);
    assertThat(sink.dropped).hasValue(3);
    embedded.push(NEWS, "d");
    assertThat(sink.dropped).hasValue(4);
    sink.refuses = false;
    embedded.push(NEWS, "e");
    assertThat(sink.texts()).containsExactly("e");
  }

  @Test
  void aSignalGoesToOneReceiverWithRoom() throws Exception {
    Route.Signal signal = new Route.Signal("tick");
    assertThat(embedded.link.trySend(signal, message("nobody"))).isFalse();
    RecordingSink other = new RecordingSink();
    Source first = embedded.consume(signal, sink, 1, Overflow.DROP_NEWEST);
    embedded.consume(signal, other, 1, Overflow.DROP_NEWEST).request(2);
    assertThat(embedded.link.trySend(signal, message("a"))).isTrue();
    assertThat(embedded.link.trySend(signal, message("b"))).isTrue();
    assertThat(other.texts()).containsExactly("a", "b");
    assertThat(embedded.link.trySend(signal, message("c"))).isTrue();
    assertThat(embedded.link.trySend(signal, message("d"))).isTrue();
    assertThat(embedded.link.trySend(signal, message("e"))).isFalse();
    assertThat(sink.dropped.get() + other.dropped.get()).isZero(); // the sender knows
    first.request(1);
    assertThat(sink.deliveries).hasSize(1);
    assertThatThrownBy(() -> embedded.consume(signal, sink, 1, Overflow.BLOCK))
        .isInstanceOf(UnsupportedSettingException.class);
  }

  @Test
  void aReceiverThatLeavesPassesItsSignalsOn() throws Exception {
    Route.Signal signal = new Route.Signal("tick");
    Source first = embedded.consume(signal, sink, 4, Overflow.DROP_OLDEST);
    first.request(1);
    embedded.link.trySend(signal, message("a"));
    embedded.link.trySend(signal, message("b"));
    RecordingSink other = new RecordingSink();
    embedded.consume(signal, other).request(8);
    first.cancel();
    assertThat(other.texts()).containsExactly("b");
    EmbeddedFixture.settle(sink.last(), new Outcome.GiveBack(false));
    assertThat(other.texts()).containsExactly("b", "a");
    first.close();
    assertThat(embedded.link.trySend(signal, message("c"))).isTrue();
  }

  @Test
  void wildcardsMeanWhatTheyMeanInRabbitMq() {
    List<String> patterns = List.of("a", "a.b", "a.*", "*.b", "*", "#", "a.#", "a.*.#", "*.*.c");
    List<String> topics = List.of("a", "b", "a.b", "a.c", "c.b", "a.b.c", "a.b.c.d", "b.b.c");
    TopicTree<String> tree = new TopicTree<>();
    patterns.forEach(pattern -> tree.add(pattern, pattern));
    for (String topic : topics) {
      assertThat(tree.match(topic))
          .as(topic)
          .containsExactlyInAnyOrderElementsOf(
              patterns.stream().filter(pattern -> matches(pattern, topic)).toList());
    }
    patterns.forEach(pattern -> tree.remove(pattern, pattern));
    topics.forEach(topic -> assertThat(tree.match(topic)).isEmpty());
  }

  private static boolean matches(String pattern, String topic) {
    String regex = pattern
        .replace(".", "\\.")
        .replace("*", "[^.]+")
        .replaceAll("(^|\\\\\\.)#$", pattern.equals("#") ? ".*" : "(\\\\..*)?");
    return topic.matches(regex);
  }
}
