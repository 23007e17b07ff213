package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.engine.HandlerLostException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Live subscribers of topics and receivers of signals. */
class SubscriberTest {
  private static final Topic<String> TOPIC = Topic.of("t", Codecs.utf8());

  private final Receiving receiving = new Receiving();
  private final CountDownLatch gate = new CountDownLatch(1);
  private final List<String> handled = new CopyOnWriteArrayList<>();

  @AfterEach
  void close() {
    gate.countDown();
    receiving.close();
  }

  private ScriptedSource source() {
    return receiving.source("t");
  }

  private ScriptedDelivery push(String key, String text) {
    return source()
        .push(new ScriptedDelivery("t", ScriptedDelivery.of("t", text).message.withKey(key)));
  }

  @Test
  void failuresAreCountedAndToldAndNotRepeated() throws Exception {
    Subscription subscriber = receiving.subscriptions.subscriber(TOPIC).start(delivery -> {
      assertThat(delivery.isLast()).isTrue();
      switch (delivery.payload()) {
        case "failed" -> throw new IllegalStateException("boom");
        case "rejected" -> throw new RejectedMessageException("never");
        case "lost" -> throw new HandlerLostException("gone", false);
        default -> handled.add(delivery.payload());
      }
    });
    List<ScriptedDelivery> pushed =
        new ArrayList<>(source().push("failed", "rejected", "lost", "good"));
    pushed.add(source().push(new ScriptedDelivery("t", Message.of(new byte[] {(byte) 0xFF}))));
    await("all", () -> pushed.stream().allMatch(each -> each.outcomes.size() == 1));
    for (ScriptedDelivery each : pushed) {
      assertThat(each.outcomes)
          .containsExactly(
              each.text().equals("lost") ? new Outcome.GiveBack(false) : new Outcome.Acknowledge());
    }
    await("the listener", () -> receiving.events.failed.size() == 3);
    assertThat(receiving.events.failed).startsWith("q boom", "q never");
    SubscriptionCounters counters = checked(subscriber);
    assertThat(counters.failed()).isOne();
    assertThat(counters.rejected()).isOne();
    assertThat(counters.undecodable()).isOne();
    assertThat(counters.givenBack()).isOne();
    assertThat(counters.acknowledged()).isOne();
    assertThat(counters.deadLettered()).isZero();
  }

  @Test
  void buffersAreSharedBetweenHereAndTheEngine() throws Exception {
    receiving.subscriptions.subscriber(TOPIC).start(delivery -> {});
    assertThat(source().settings.buffer() + source().settings.maxInFlight()).isEqualTo(8192 + 1);
    receiving.subscriptions.subscriber(TOPIC).buffer(100).start(delivery -> {});
    assertThat(source().settings.buffer()).isEqualTo(100);
    assertThat(source().settings.maxInFlight()).isOne();
    receiving
        .subscriptions
        .subscriber(TOPIC)
        .buffer(100)
        .overflow(Overflow.DROP_NEWEST)
        .start(delivery -> {});
    assertThat(source().settings.buffer()).isEqualTo(99);
    assertThat(source().settings.overflow()).isEqualTo(Overflow.DROP_NEWEST);
    assertThat(source().settings.bufferBytes()).isEqualTo(64 << 20);
    receiving.subscriptions.subscriber(TOPIC).bufferBytes(10).start(delivery -> {});
    assertThat(source().settings.bufferBytes()).isEqualTo(10);
    assertThatThrownBy(() -> receiving.subscriptions.subscriber(TOPIC).bufferBytes(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("bufferBytes: 0 (expected: >= 1)");
  }

  @Test
  void dropsAreCountedAndTold() throws Exception {
    Subscription subscriber = receiving.subscriptions.subscriber(TOPIC).start(delivery -> {});
    source().sink.dropped(5);
    source().sink.dropped(2);
    assertThat(checked(subscriber).dropped()).isEqualTo(7);
    assertThat(receiving.subscriptions.dropped()).isEqualTo(7);
    await("the listener", () -> receiving.events.dropped.contains("t DROP_OLDEST 5"));
    subscriber.close();
    assertThat(receiving.subscriptions.dropped()).isEqualTo(7);
  }

  @Test
  void orderOfEachKeyIsKeptBySeveralHandlers() throws Exception {
    Map<String, List<Integer>> byKey = new ConcurrentHashMap<>();
    AtomicInteger running = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    Subscription subscriber = receiving
        .subscriptions
        .subscriber(TOPIC)
        .concurrency(4)
        .start(delivery -> {
          most.accumulateAndGet(running.incrementAndGet(), Math::max);
          String[] parts = delivery.payload().split(" ", -1);
          byKey.computeIfAbsent(parts[0], key -> new ArrayList<>()).add(Integer.valueOf(parts[1]));
          for (int spins = ThreadLocalRandom.current().nextInt(200); spins > 0; spins--) {
            Thread.onSpinWait();
          }
          running.decrementAndGet();
        });
    for (int i = 0; i < 2000; i++) {
      String key = "k" + i % 7;
      push(key, key + " " + i);
    }
    await("all", () -> checked(subscriber).acknowledged() == 2000);
    byKey.values().forEach(each -> assertThat(each).isSorted());
    assertThat(byKey).hasSize(7);
    assertThat(most.get()).isBetween(1, 4);
  }

  @Test
  void aBusyKeyHoldsUpNoOther() throws Exception {
    Subscription subscriber = receiving
        .subscriptions
        .subscriber(TOPIC)
        .concurrency(2)
        .start(delivery -> {
          if (delivery.payload().equals("first")) {
            gate.await();
          }
          handled.add(delivery.payload());
        });
    push("a", "first");
    push("a", "second");
    push("b", "other");
    source().push("keyless");
    await("the others", () -> handled.containsAll(List.of("other", "keyless")));
    assertThat(handled).hasSize(2);
    assertThat(checked(subscriber).buffered()).isOne();
    gate.countDown();
    await("all", () -> handled.size() == 4);
    assertThat(handled).endsWith("first", "second");
    subscriber.close();
    checked(subscriber);
  }

  @Test
  void slowConsumerIsToldAfterTenSeconds() throws Exception {
    Subscription subscriber =
        receiving.subscriptions.subscriber(TOPIC).start(delivery -> gate.await());
    source().push("a", "b", "c");
    await("the buffer", () -> checked(subscriber).buffered() == 2);
    receiving.engine.clock.advance(Duration.ofSeconds(10));
    receiving.engine.clock.advance(Duration.ofSeconds(1));
    await("the listener", () -> !receiving.events.slow.isEmpty());
    assertThat(receiving.events.slow).containsExactly("t 2 PT11S");
    receiving.engine.clock.advance(Duration.ofSeconds(10));
    await("the listener again", () -> receiving.events.slow.size() == 2);
    gate.countDown();
    await("all", () -> checked(subscriber).acknowledged() == 3);
    receiving.engine.clock.advance(Duration.ofSeconds(60));
    assertThat(receiving.events.slow).hasSize(2);
  }

  /** Nobody was told of a subscriber whose small buffer is all in the engine. */
  @ParameterizedTest
  @EnumSource(
      value = Overflow.class,
      names = {"DROP_OLDEST", "DROP_NEWEST"})
  void slowConsumerWithSmallBufferIsToldToo(Overflow overflow) throws Exception {
    ManualClock clock = new ManualClock();
    Receiving.Events events = new Receiving.Events();
    try (Messaging messaging = Messaging.builder(
            EmbeddedEngine.builder().clock(clock).build())
        .listener(events)
        .start()) {
      Subscription subscriber =
          messaging.subscriber(TOPIC).buffer(4).overflow(overflow).start(delivery -> gate.await());
      for (String text : List.of("a", "b", "c")) {
        messaging.publish(TOPIC, text).get();
      }
      await("the handler", () -> checked(subscriber).inFlight() == 1);
      for (int i = 0; i < 12; i++) {
        clock.advance(Duration.ofSeconds(1));
      }
      await("the listener", () -> !events.slow.isEmpty());
      assertThat(events.slow.get(0)).startsWith("t 2 PT1");
      gate.countDown();
      await("all", () -> checked(subscriber).acknowledged() == 3);
      int told = events.slow.size();
      clock.advance(Duration.ofSeconds(60));
      messaging.publish(TOPIC, "d").get();
      await("the fourth", () -> checked(subscriber).acknowledged() == 4);
      clock.advance(Duration.ofSeconds(60));
      assertThat(events.slow).hasSize(told);
    }
  }

  /** An engine that fails once is asked again. */
  @Test
  void failureOfTheEngineDoesNotEndTheLook() throws Exception {
    Subscription subscriber =
        receiving.subscriptions.subscriber(TOPIC).buffer(4).start(delivery -> gate.await());
    source().buffer = () -> {
      throw new StackOverflowError("thrown on purpose");
    };
    source().push("a");
    await("the handler", () -> checked(subscriber).inFlight() == 1);
    receiving.engine.clock.advance(Duration.ofSeconds(1));
    source().buffer = () -> new Source.Buffer(3, Duration.ofSeconds(11));
    receiving.engine.clock.advance(Duration.ofSeconds(1));
    await("the listener", () -> !receiving.events.slow.isEmpty());
    assertThat(receiving.events.slow).containsExactly("t 3 PT11S");
    gate.countDown();
  }

  @Test
  void receiverOfASignal() throws Exception {
    Subscription receiver = receiving
        .subscriptions
        .receiver(Signal.of("t", Codecs.utf8()))
        .start(delivery -> handled.add(delivery.payload()));
    source().push("a");
    await("the message", () -> checked(receiver).acknowledged() == 1);
    assertThat(handled).containsExactly("a");
  }
}
