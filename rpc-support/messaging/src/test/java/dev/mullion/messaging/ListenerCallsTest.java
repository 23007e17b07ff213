package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ListenerCallsTest {
  private final ManualClock clock = new ManualClock();
  private final Recording listener = new Recording();
  private final ListenerCalls calls = new ListenerCalls(listener, clock);

  @AfterEach
  void close() {
    listener.gate.countDown();
    calls.close(Duration.ofSeconds(20));
  }

  private static class Recording implements MessagingListener {
    final List<String> events = new CopyOnWriteArrayList<>();
    final Set<Thread> threads = ConcurrentHashMap.newKeySet();
    final CountDownLatch gate = new CountDownLatch(1);
    volatile boolean blocks;
    volatile boolean fails;

    private void event(String event) {
      threads.add(Thread.currentThread());
      events.add(event);
      if (fails) {
        throw new AssertionError("broken");
      }
      if (blocks) {
        try {
          gate.await();
        } catch (InterruptedException e) {
          events.add("interrupted");
        }
      }
    }

    @Override
    public void dropped(String address, Overflow policy, long sinceLastTime) {
      event("dropped " + address + " " + policy + " " + sinceLastTime);
    }

    @Override
    public void slowConsumer(String address, int buffered, Duration oldest) {
      event("slow " + address + " " + buffered + " " + oldest);
    }

    @Override
    public void deadLettered(DeadLetter letter) {
      event("dead " + letter.error());
    }

    @Override
    public void connectionLost(String where, Throwable cause) {
      event("lost " + where + " " + cause.getMessage());
    }

    @Override
    public void connectionRestored(String where, Duration outage) {
      event("restored " + where + " " + outage);
    }
  }

  private void await(String... events) {
    Waiting.until(() -> listener.events.size() >= events.length);
    assertThat(listener.events).containsExactly(events);
  }

  @Test
  void eventsComeInOrderOnOneThreadThatIsNotTheCallers() {
    calls.connectionLost("here", new IllegalStateException("cut"));
    calls.connectionRestored("here", Duration.ofSeconds(2));
    calls.slowConsumer("orders", 7, Duration.ofSeconds(11));
    calls.deadLettered(new DeadLetter(
        Message.of(new byte[0]), "jobs", DeadLetter.Reason.REJECTED, "no", 1, Instant.EPOCH));

    await("lost here cut", "restored here PT2S", "slow orders 7 PT11S", "dead no");
    assertThat(listener.threads).hasSize(1).doesNotContain(Thread.currentThread());
    assertThat(listener.threads).allMatch(Thread::isDaemon);
  }

  @Test
  void dropsOfOneAddressAreMergedAndToldOncePerSecond() {
    calls.dropped("a", Overflow.DROP_OLDEST, 1);
    for (int i = 0; i < 5; i++) {
      calls.dropped("a", Overflow.DROP_OLDEST, 2);
    }
    calls.dropped("b", Overflow.DROP_OLDEST, 1);
    calls.dropped("a", Overflow.DROP_NEWEST, 3);
    await("dropped a DROP_OLDEST 1", "dropped b DROP_OLDEST 1", "dropped a DROP_NEWEST 3");

    clock.advance(Duration.ofMillis(999));
    calls.dropped("a", Overflow.DROP_OLDEST, 1);
    clock.advance(Duration.ofMillis(1));
    Waiting.until(() -> listener.events.contains("dropped a DROP_OLDEST 11"));
    assertThat(listener.events).hasSize(4);

    clock.advance(Duration.ofMinutes(1));
    calls.dropped("a", Overflow.DROP_OLDEST, 1); // not 11 again
    Waiting.until(() -> listener.events.size() == 5);
    assertThat(listener.events).last().isEqualTo("dropped a DROP_OLDEST 1");
  }

  @Test
  void closeTellsWhatWasMerged() {
    calls.dropped("a", Overflow.DROP_OLDEST, 1);
    calls.dropped("a", Overflow.DROP_OLDEST, 2);

    calls.close(Duration.ofSeconds(20));

    assertThat(listener.events)
        .containsExactly("dropped a DROP_OLDEST 1", "dropped a DROP_OLDEST 2");
    calls.connectionLost("after", new IllegalStateException());
    assertThat(calls.omitted()).isEqualTo(1);
  }

  @Test
  void listenerThatThrowsIsCountedAndCalledAgain() {
    listener.fails = true;
    calls.slowConsumer("a", 1, Duration.ZERO);
    calls.slowConsumer("b", 1, Duration.ZERO);

    await("slow a 1 PT0S", "slow b 1 PT0S");
    Waiting.until(() -> calls.failures() == 2);
    assertThat(listener.threads).hasSize(1);
  }

  @Test
  void listenerThatBlocksHoldsUpNobodyAndWhatIsLeftOutIsCounted() {
    listener.blocks = true;
    for (int i = 0; i < 2_000; i++) {
      calls.slowConsumer("a", i, Duration.ZERO);
    }
    assertThat(calls.omitted()).isBetween(2_000L - 1_025, 2_000L - 1_024);

    calls.close(Duration.ofMillis(1));
    Waiting.until(() -> listener.events.contains("interrupted"));
    assertThat(calls.omitted()).isBetween(1_998L, 1_999L);
  }

  @Test
  void listenerThatClosesDoesNotWaitForItself() throws Exception {
    AtomicInteger closed = new AtomicInteger();
    ListenerCalls[] own = new ListenerCalls[1];
    own[0] = new ListenerCalls(
        new MessagingListener() {
          @Override
          public void connectionLost(String where, Throwable cause) {
            own[0].close(Duration.ofDays(1));
            closed.incrementAndGet();
          }
        },
        clock);
    own[0].connectionLost("here", new IllegalStateException());
    Waiting.until(() -> closed.get() == 1);
    CountDownLatch over = new CountDownLatch(1);
    new Thread(() -> {
          own[0].close(Duration.ofDays(1));
          over.countDown();
        })
        .start();
    assertThat(over.await(20, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void withoutListenerThereIsNoThread() {
    int before = Thread.activeCount();
    ListenerCalls none = new ListenerCalls(ListenerCalls.NONE, clock);
    none.connectionLost("here", new IllegalStateException());
    none.dropped("a", Overflow.FAIL, 1);

    assertThat(Thread.activeCount()).isLessThanOrEqualTo(before);
    none.close(Duration.ZERO);
  }
}
