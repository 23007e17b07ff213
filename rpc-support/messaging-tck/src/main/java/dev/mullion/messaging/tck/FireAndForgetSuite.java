package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.tck.EngineUnderTest.Blockable;
import dev.mullion.messaging.tck.EngineUnderTest.Cuttable;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Fire-and-forget: cases 61 to 64. */
public abstract class FireAndForgetSuite extends EngineSuite {
  private final CountDownLatch release = new CountDownLatch(1);

  /** Creates the suite. */
  protected FireAndForgetSuite() {}

  @EachHandlerKind
  @DisplayName("61. a signal arrives at one receiver")
  void oneReceiver(HandlerKind kind) throws Exception {
    Messaging one = messaging();
    Messaging two = messaging();
    Signal<String> signal = signal();
    Received<String> union = received();
    ready(kind.start(one.receiver(signal), union));
    ready(kind.start(two.receiver(signal), union));
    List<String> sent = numbered("", profile().scaled(500));
    for (String each : sent) {
      assertTrue(one.send(signal, each), each);
    }
    union.awaitExactly(sent);
    assertEquals(0, one.counters().dropped());
  }

  @Test
  @DisplayName("62. without a receiver, send returns false or the drop is counted")
  void nobodyThere() throws Exception {
    Messaging messaging = messaging();
    Signal<String> signal = signal();
    boolean knows = guarantees(Pattern.FIRE_AND_FORGET).knowsNobodyListens();
    for (int i = 1; i <= 100; i++) {
      boolean sent = messaging.send(signal, "x");
      assertFalse(sent && knows, "true, although nobody receives");
    }
    if (knows) {
      assertEquals(100, messaging.counters().dropped());
    }
    Received<String> received = received();
    ready(messaging.receive(signal, received));
    messaging.send(signal, "there");
    if (knows) {
      received.awaitExactly(List.of("there"));
    } else { // those from before may still be on their way
      received.awaitAll(List.of("there"));
    }
  }

  @EachHandlerKind
  @DisplayName("62. a failed handler of a signal is counted; the message does not come again")
  void failingReceiver(HandlerKind kind) throws Exception {
    Messaging messaging = messaging();
    Signal<String> signal = signal();
    Received<String> received = received();
    Subscription receiver =
        ready(kind.start(messaging.receiver(signal), failing(received, "fails")));
    messaging.send(signal, "x");
    received.awaitExactly(List.of("x"));
    await("a failure", () -> receiver.counters().failed() >= 1, () -> receiver.counters());
  }

  @Test
  @DisplayName("63. full: send returns without waiting, and each dropped message is counted once")
  void full() throws Throwable {
    Signal<String> signal = signal();
    Messaging receiving = messaging();
    Messaging sending = messaging();
    Received<String> received = received();
    ready(receiving
        .receiver(signal)
        .buffer(10)
        .overflow(Overflow.DROP_NEWEST)
        .start(held(received, release)));
    assertTrue(sending.send(signal, "0"));
    received.awaitAll(List.of("0"));
    int count = profile().scaled(20_000);
    atOnce(count + " sends", () -> {
      for (int i = 1; i < count; i++) {
        sending.send(signal, "" + i);
      }
    });
    await("drops", () -> dropped(sending, receiving) > 0, () -> sending.counters());
    release.countDown();
    await(
        count + " in all",
        () -> received.distinct().size() + dropped(sending, receiving) == count,
        () -> received.size() + " received, " + sending.counters() + ", " + receiving.counters());
    received.awaitQuiet();
    assertEquals(count, received.distinct().size() + dropped(sending, receiving));
    received.awaitAtMost(numbered("", count));
    assertTrue(received.size() >= 11, received::toString);
  }

  private static long dropped(Messaging sending, Messaging receiving) {
    return sending.counters().dropped() + receiving.counters().dropped();
  }

  @Test
  @DisplayName("64. while the engine is blocked or away, send waits for nothing and counts")
  void engineBlocked() throws Throwable {
    Signal<String> signal = signal();
    Messaging sending = messaging();
    Messaging receiving = messaging();
    Received<String> received = received();
    ready(receiving.receiver(signal).buffer(100).start(delivery -> {
      received.add(delivery);
      if (delivery.payload().equals("hang")) {
        release.await(20, TimeUnit.SECONDS);
      }
    }));
    sending.send(signal, "before");
    received.awaitAll(List.of("before"));
    block(sending, signal, received);
    int count = profile().scaled(20_000);
    atOnce(count + " sends", () -> {
      for (int i = 0; i < count; i++) {
        sending.send(signal, "during");
      }
    });
    unblock();
    await(
        "an arriving signal",
        () -> {
          sending.send(signal, "after");
          return received.payloads().contains("after");
        },
        () -> received);
    received.awaitQuiet();
    long sent = sending.counters().sent();
    long known = received.size() + dropped(sending, receiving);
    assertTrue(known <= sent + profile().allowedDuplicates(count), known + " of " + sent);
    if (!(underTest() instanceof Blockable)) {
      assertTrue(dropped(sending, receiving) >= 1, () -> sending.counters().toString());
    }
  }

  /** Blocks the engine, or takes it away; where neither is possible, its only receiver hangs. */
  private void block(Messaging sending, Signal<String> signal, Received<String> received)
      throws Exception {
    if (underTest() instanceof Blockable engine) {
      engine.block();
    } else if (underTest() instanceof Cuttable engine) {
      engine.cut();
    } else {
      sending.send(signal, "hang");
      received.awaitAll(List.of("before", "hang"));
    }
  }

  private void unblock() throws Exception {
    if (underTest() instanceof Blockable engine) {
      engine.unblock();
    } else if (underTest() instanceof Cuttable engine) {
      engine.restore();
    } else {
      release.countDown();
    }
  }
}
