package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Slow live subscribers: case 18. */
public abstract class OverflowSuite extends EngineSuite {
  private static final int BUFFER = 10;
  private static final List<String> SENT = numbered("", 100);

  /** All but the first message, in which the slow subscriber hangs. */
  private static final List<String> REST = SENT.subList(1, 100);

  private final CountDownLatch release = new CountDownLatch(1);

  /** Creates the suite. */
  protected OverflowSuite() {}

  @EachHandlerKind
  @DisplayName("18. DROP_OLDEST: a slow subscriber gets the newest; another one gets everything")
  void dropOldest(HandlerKind kind) throws Exception {
    List<String> kept = keptOf100(kind, Overflow.DROP_OLDEST);
    if (!profile().reorders()) {
      List<String> newest = kept.subList(Math.max(0, kept.size() - BUFFER), kept.size());
      assertEquals(SENT.subList(90, 100), newest, "kept");
    }
  }

  @EachHandlerKind
  @DisplayName("18. DROP_NEWEST: a slow subscriber gets the oldest; another one gets everything")
  void dropNewest(HandlerKind kind) throws Exception {
    List<String> kept = keptOf100(kind, Overflow.DROP_NEWEST);
    if (!profile().reorders()) {
      assertEquals(SENT.subList(0, kept.size()), kept, "kept");
    }
  }

  private List<String> keptOf100(HandlerKind kind, Overflow overflow) throws Exception {
    Slow slow = slow(kind, overflow);
    publishAll(slow.publisher, slow.topic, REST);
    slow.finishDropping();
    return slow.received.payloads();
  }

  @Test
  @DisplayName("18. FAIL: publish fails while a subscriber is full; what was accepted arrives")
  void fail() throws Exception {
    Slow slow = slow(HandlerKind.BLOCKING, Overflow.FAIL);
    List<String> accepted = new ArrayList<>(List.of("0"));
    for (String each : REST) {
      try {
        slow.publisher.publish(slow.topic, each).get(10, TimeUnit.SECONDS);
        accepted.add(each);
      } catch (ExecutionException e) {
        assertTrue(e.getCause() instanceof QueueFullException, e::toString);
      }
    }
    assertBuffered(accepted.size());
    release.countDown();
    slow.received.awaitExactly(accepted);
    slow.quick.awaitAll(accepted);
    slow.quick.awaitAtMost(SENT);
  }

  @Test
  @DisplayName("18. BLOCK: publish waits while a subscriber is full; everything arrives at both")
  void block() throws Exception {
    Slow slow = slow(HandlerKind.BLOCKING, Overflow.BLOCK);
    CompletableFuture<Void> publishing =
        CompletableFuture.runAsync(() -> publishAll(slow.publisher, slow.topic, REST));
    holds("waiting", () -> !publishing.isDone(), () -> slow.received);
    assertFalse(publishing.isDone());
    release.countDown();
    get(publishing);
    slow.received.awaitExactly(SENT);
    slow.quick.awaitExactly(SENT);
  }

  @Test
  @DisplayName("18. BLOCK: publish fails after sendTimeout if there is still no room")
  void blockTimesOut() throws Exception {
    assumeOverflow(Overflow.BLOCK);
    Topic<String> topic = topic();
    Received<String> received = received();
    ready(messaging()
        .subscriber(topic)
        .buffer(BUFFER)
        .overflow(Overflow.BLOCK)
        .start(held(received, release)));
    Messaging publisher = messaging(builder -> builder.sendTimeout(Duration.ofMillis(100)));
    int accepted = 0;
    QueueFullException full = null;
    while (full == null && accepted < 100) {
      try {
        publisher.publish(topic, "" + accepted).get(10, TimeUnit.SECONDS);
        accepted++;
      } catch (ExecutionException e) {
        full = (QueueFullException) e.getCause();
      }
    }
    assertTrue(full != null, "100 messages fit into a buffer of " + BUFFER);
    release.countDown();
    received.awaitExactly(numbered("", accepted));
  }

  private void assumeOverflow(Overflow overflow) throws Exception {
    Set<Overflow> allowed = guarantees(Pattern.PUBLISH_SUBSCRIBE).overflows();
    if (!allowed.contains(overflow)) {
      Messaging messaging = messaging();
      assertThrows(
          UnsupportedSettingException.class,
          () -> messaging.subscriber(topic()).overflow(overflow).start(delivery -> {}));
    }
    assume(allowed.contains(overflow), "overflows", allowed);
  }

  private static void assertBuffered(int received) {
    // One is being handled, BUFFER wait, and one more may be on its way to the handler.
    assertTrue(
        received >= BUFFER + 1 && received <= BUFFER + 2,
        received + " of 100 were kept (expected: " + (BUFFER + 1) + ")");
  }

  /** A subscriber that hangs in its first message, and one that does not. */
  private final class Slow {
    final Messaging publisher;
    final Topic<String> topic;
    final Received<String> received = received();
    final Received<String> quick = received();
    final Set<String> told = ConcurrentHashMap.newKeySet();
    final Subscription subscription;

    Slow(HandlerKind kind, Overflow overflow) throws Exception {
      MessagingListener listener = new MessagingListener() {
        @Override
        public void dropped(String address, Overflow policy, long sinceLastTime) {
          told.add(address + " " + policy);
        }
      };
      publisher = messaging(builder -> builder.sendTimeout(profile().delivery()));
      Messaging subscriber = messaging(builder -> builder.listener(listener));
      topic = topic();
      subscription = ready(kind.start(
          subscriber.subscriber(topic).buffer(BUFFER).overflow(overflow), held(received, release)));
      ready(messaging().subscribe(topic, quick));
      get(publisher.publish(topic, "0"));
      received.awaitAll(List.of("0"));
    }

    private int distinct() {
      return received.distinct().size();
    }

    void finishDropping() {
      quick.awaitExactly(SENT);
      await(
          "dropped",
          () -> subscription.counters().dropped() >= SENT.size() - BUFFER - 2,
          () -> subscription.counters());
      release.countDown();
      await(
          "each received or dropped",
          () -> distinct() + subscription.counters().dropped() == SENT.size(),
          () -> received + ", " + subscription.counters());
      received.awaitAtMost(SENT);
      assertBuffered(distinct());
      assertEquals(
          SENT.size(), distinct() + subscription.counters().dropped(), "received and dropped");
      await("dropped() of the listener", () -> !told.isEmpty(), () -> told);
      assertTrue(told.stream().allMatch(each -> each.startsWith(topic.name())), told.toString());
    }
  }

  private Slow slow(HandlerKind kind, Overflow overflow) throws Exception {
    assumeOverflow(overflow);
    return new Slow(kind, overflow);
  }
}
