package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Guarantees.Capacity;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Guarantees.Wildcards;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What an engine cannot do is refused at the start, with the reason. */
class SupportedTest {
  private static final Handler<String> NOTHING = delivery -> {};
  private final Receiving receiving = new Receiving();
  private final Subscriptions subscriptions = receiving.subscriptions;

  @AfterEach
  void close() {
    receiving.close();
  }

  private void engineWith(Wildcards wildcards) {
    receiving.engine.rows = Arrays.stream(Pattern.values())
        .map(pattern -> ScriptedEngine.row(
            pattern, Capacity.NONE, EnumSet.of(Overflow.DROP_OLDEST), wildcards, false, false))
        .toList();
  }

  private static void assertRefused(ThrowingCallable start, String text) {
    assertThatThrownBy(start).isInstanceOf(UnsupportedSettingException.class).hasMessage(text);
  }

  private static WorkQueue.Builder<String> queue() {
    return WorkQueue.builder("q", Codecs.utf8());
  }

  @Test
  void queues() throws Exception {
    engineWith(Wildcards.NONE);
    assertRefused(
        () -> subscriptions.worker(queue().ordered(true).build()).start(NOTHING),
        "ordered: true (expected: false; queue q, engine scripted, see Guarantees.orderedQueues)");
    assertRefused(
        () -> subscriptions.worker(queue().capacity(5).build()).start(NOTHING),
        "capacity: 5 (expected: 0; queue q, engine scripted, see Guarantees.capacity)");
    assertRefused(
        () -> subscriptions.worker(queue().capacityBytes(6).build()).start(NOTHING),
        "capacityBytes: 6 (expected: 0; queue q, engine scripted, see Guarantees.capacity)");
    subscriptions.worker(queue().build()).start(NOTHING).close();
    receiving.engine.rows = List.of(ScriptedEngine.row(
        Pattern.PUSH_PULL,
        Capacity.SOFT,
        Set.of(Overflow.DROP_NEWEST, Overflow.BLOCK, Overflow.DROP_OLDEST),
        Wildcards.ALL,
        true,
        true));
    assertRefused(
        () -> subscriptions
            .worker(queue().capacity(5).overflow(Overflow.FAIL).build())
            .start(NOTHING),
        "overflow: FAIL (expected: one of [BLOCK, DROP_OLDEST, DROP_NEWEST]; queue q, engine"
            + " scripted, see Guarantees.overflows)");
  }

  @Test
  void topicsAndGroups() throws Exception {
    engineWith(Wildcards.NONE);
    assertRefused(
        () -> subscriptions.subscriber(Topic.of("a.*", Codecs.utf8())).start(NOTHING),
        "name: \"a.*\" (expected: no pattern; topic a.*, engine scripted, see"
            + " Guarantees.wildcards)");
    assertRefused(
        () -> subscriptions.worker(Topic.of("a.#", Codecs.utf8()).group("g")).start(NOTHING),
        "name: \"a.#\" (expected: no pattern; group g of a.#, engine scripted, see"
            + " Guarantees.wildcards)");
    assertRefused(
        () -> subscriptions
            .subscriber(Topic.of("a", Codecs.utf8()))
            .overflow(Overflow.BLOCK)
            .startAsync(delivery -> {
              throw new AssertionError();
            }),
        "overflow: BLOCK (expected: one of [DROP_OLDEST]; topic a, engine scripted, see"
            + " Guarantees.overflows)");
    assertRefused(
        () -> subscriptions
            .receiver(Signal.of("a", Codecs.utf8()))
            .overflow(Overflow.DROP_NEWEST)
            .start(NOTHING),
        "overflow: DROP_NEWEST (expected: one of [DROP_OLDEST]; signal a, engine scripted, see"
            + " Guarantees.overflows)");
    engineWith(Wildcards.NOT_FIRST_WORD);
    assertRefused(
        () -> subscriptions.subscriber(Topic.of("*.a", Codecs.utf8())).start(NOTHING),
        "name: \"*.a\" (expected: a first word that is no wildcard; topic *.a, engine scripted,"
            + " see Guarantees.wildcards)");
    subscriptions.subscriber(Topic.of("a.*.#", Codecs.utf8())).start(NOTHING).close();
  }

  @Test
  void patternThatTheEngineDoesNotHave() {
    receiving.engine.rows = List.of();
    assertRefused(
        () -> subscriptions.worker(queue().build()).start(NOTHING), "scripted has no PUSH_PULL");
    assertRefused(
        () -> subscriptions
            .replier(Subject.of("s", Codecs.utf8(), Codecs.utf8()))
            .start(Delivery::payload),
        "scripted has no REQUEST_REPLY");
    assertThat(receiving.engine.prepared).isEmpty();
  }

  @Test
  void bounds() {
    WorkerBuilder<String> worker = subscriptions.worker(queue().build());
    assertThatThrownBy(() -> worker.concurrency(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("concurrency: 0 (expected: 1 to 100000)");
    assertThatThrownBy(() -> worker.prefetch(-1))
        .hasMessage("prefetch: -1 (expected: 0 to 1000000)");
    assertThatThrownBy(() -> worker.startBatch(0, batch -> {}))
        .hasMessage("max: 0 (expected: 1 to 1000000)");
    assertThatThrownBy(() -> worker.concurrency(11).prefetch(7).startBatch(100_000, batch -> {}))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("concurrency: 11 times max: 100000 plus prefetch: 7 is 1100007 messages in"
            + " flight (expected: <= 1000000, queue q)");
    SubscriberBuilder<String> subscriber = subscriptions.subscriber(Topic.of("t", Codecs.utf8()));
    assertThatThrownBy(() -> subscriber.buffer(0))
        .hasMessage("buffer: 0 (expected: 1 to 10000000)");
    assertThatThrownBy(() -> subscriber.concurrency(100_001))
        .hasMessage("concurrency: 100001 (expected: 1 to 100000)");
    assertThatThrownBy(() ->
            subscriptions.replier(Subject.of("s", Codecs.utf8(), Codecs.utf8())).concurrency(-5))
        .hasMessage("concurrency: -5 (expected: 1 to 100000)");
  }
}
