package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.tck.EngineUnderTest.Cuttable;
import dev.mullion.messaging.tck.EngineUnderTest.Damage;
import dev.mullion.messaging.tck.EngineUnderTest.Damageable;
import dev.mullion.messaging.tck.EngineUnderTest.Restartable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.opentest4j.AssertionFailedError;

/** An engine that is away for a while, or whose store is damaged: cases 69, 70 and 75. */
public abstract class OutageSuite extends EngineSuite {
  private static final String LOST = "lost";
  private static final String RESTORED = "restored";

  /** Creates the suite. */
  protected OutageSuite() {}

  @Test
  @DisplayName("69. the engine is restarted: what was accepted is handled, all patterns work again")
  void restart() throws Exception {
    Restartable engine = capability(Restartable.class, "durability");
    Everything all = new Everything(messaging());
    List<String> accepted = all.pushAndPublish(numbered("before", profile().scaled(200)));
    WorkQueue<String> waiting = queue();
    List<String> sent = numbered("", profile().scaled(100));
    pushAll(all.messaging, waiting, sent);
    if (!engine.clientsSurvive()) {
      closeAll();
    }
    engine.stop();
    engine.start();
    if (!engine.clientsSurvive()) {
      all.start(messaging());
    }
    all.awaitWorking();
    accepted.addAll(all.pushAndPublish(numbered("after", profile().scaled(50))));
    all.assertHandled(accepted);
    Received<String> received = received();
    ready(all.messaging.pull(waiting, received));
    received.awaitExactly(sent);
  }

  @Test
  @DisplayName("69. connections are cut in the middle: every kind of subscription comes back")
  void cut() throws Exception {
    Cuttable engine = capability(Cuttable.class, "durability");
    List<String> told = new CopyOnWriteArrayList<>();
    Messaging messaging = messaging(builder -> builder.listener(telling(told)));
    Everything all = new Everything(messaging);
    all.awaitWorking();
    List<String> accepted = new ArrayList<>();
    for (int round = 1; round <= 3; round++) {
      CompletableFuture<List<String>> pushing = all.pushInBackground("round" + round + "/");
      engine.cut();
      await("connectionLost", () -> isLast(LOST, told), () -> told);
      await("health while it is cut", () -> !messaging.health().up(), messaging::health);
      engine.restore();
      await("connectionRestored", () -> isLast(RESTORED, told), () -> told);
      accepted.addAll(get(pushing));
      all.awaitWorking();
    }
    await("health when it is back", () -> messaging.health().up(), messaging::health);
    all.assertHandled(accepted);
    assertTrue(
        messaging.counters().reconnects() >= 3, () -> messaging.counters().toString());
    for (int i = 0; i < told.size(); i++) {
      assertEquals(i % 2 == 0 ? LOST : RESTORED, told.get(i), () -> "what was told: " + told);
    }
  }

  private static boolean isLast(String event, List<String> told) {
    return !told.isEmpty() && told.get(told.size() - 1).equals(event);
  }

  private static MessagingListener telling(List<String> told) {
    return new MessagingListener() {
      @Override
      public void connectionLost(String where, Throwable cause) {
        told.add(LOST);
      }

      @Override
      public void connectionRestored(String where, Duration outage) {
        told.add(RESTORED);
      }
    };
  }

  @Test
  @DisplayName(
      "70. the engine is away: sends fail with BrokerAwayException, within bounds; then not")
  void away() throws Exception {
    Cuttable engine = capability(Cuttable.class, "durability");
    int most = 64;
    Messaging messaging =
        messaging(builder -> builder.maxPending(most).sendTimeout(Duration.ofMillis(300)));
    WorkQueue<String> queue = queue();
    Received<String> received = received();
    ready(messaging.pull(queue, received));
    get(messaging.push(queue, "before"));
    engine.cut();
    Duration outage = Duration.ofMillis(LongForms.on() ? 30_000 : 500);
    long end = System.nanoTime() + outage.toNanos();
    Set<String> maybe = new HashSet<>();
    int failed = 0;
    do {
      try {
        messaging.push(queue, "during" + failed).get(10, TimeUnit.SECONDS);
        throw new AssertionFailedError("a push was accepted while the engine was away");
      } catch (ExecutionException e) {
        if (!(e.getCause() instanceof BrokerAwayException cause)) {
          throw new AssertionFailedError("BrokerAwayException expected", e);
        }
        if (cause.maybeAccepted()) {
          maybe.add("during" + failed);
        }
        failed++;
      }
      assertTrue(
          messaging.counters().pending() <= most, () -> messaging.counters().toString());
    } while (System.nanoTime() - end < 0);
    engine.restore();
    await("health", () -> messaging.health().up(), messaging::health);
    get(messaging.push(queue, "after"));
    received.awaitAll(List.of("before", "after"));
    received.awaitQuiet();
    for (String payload : received.payloads()) {
      assertTrue(
          payload.equals("before") || payload.equals("after") || maybe.contains(payload),
          payload + " was handled, although its push failed for good");
    }
  }

  @Test
  @DisplayName(
      "75. a store that is damaged or in use: a named error, and nothing acknowledged lost")
  void damagedStore() throws Exception {
    Damageable engine = capability(Damageable.class, "durability");
    WorkQueue<String> queue = queue();
    List<String> sent = numbered("", profile().scaled(100));
    pushAll(messaging(), queue, sent);
    for (Damage damage : Damage.values()) {
      if (!engine.damages().contains(damage)) {
        continue;
      }
      closeAll();
      engine.stop();
      engine.damage(damage);
      try {
        engine.start();
        assertFalse(
            damage == Damage.IN_USE || damage == Damage.UNKNOWN_VERSION,
            damage + ": the engine started");
      } catch (MessagingException named) {
        assertFalse(
            damage == Damage.TORN_WRITE, "after a torn write the engine must start: " + named);
        String text = String.valueOf(named.getMessage());
        assertTrue(text.length() > 20, damage + ": " + named);
        engine.repair(damage);
        engine.start();
        continue;
      }
      engine.repair(damage);
    }
    Received<String> received = received();
    ready(messaging().pull(queue, received));
    received.awaitExactly(sent);
  }

  /** One address of each pattern, with a subscription of each kind. */
  private final class Everything {
    final Topic<String> topic = topic();
    final WorkQueue<String> group = topic.group("group");
    final WorkQueue<String> queue = queue();
    final Subject<String, String> subject = subject();
    final Signal<String> signal = signal();
    final Received<String> live = received();
    final Received<String> grouped = received();
    final Received<String> jobs = received();
    final Received<String> signals = received();
    final AtomicInteger probes = new AtomicInteger();
    Messaging messaging;

    Everything(Messaging messaging) throws MessagingException {
      this.messaging = messaging;
      start(messaging);
    }

    void start(Messaging on) throws MessagingException {
      messaging = on;
      ready(on.subscribe(topic, live));
      ready(on.pull(group, grouped));
      ready(on.pull(queue, jobs));
      ready(on.reply(subject, request -> "re " + request.payload()));
      ready(on.receive(signal, signals));
    }

    /** Returns those that were accepted; the others failed. */
    List<String> pushAndPublish(Collection<String> payloads) {
      List<String> accepted = new ArrayList<>();
      for (String payload : payloads) {
        boolean pushed = accepted(messaging.push(queue, payload));
        boolean published = accepted(messaging.publish(topic, payload));
        if (pushed && published) {
          accepted.add(payload);
        }
      }
      return accepted;
    }

    CompletableFuture<List<String>> pushInBackground(String prefix) {
      return CompletableFuture.supplyAsync(
          () -> pushAndPublish(numbered(prefix, profile().scaled(300))));
    }

    private boolean accepted(CompletableFuture<Void> send) {
      try {
        send.get(30, TimeUnit.SECONDS);
        return true;
      } catch (ExecutionException e) {
        return false;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return false;
      } catch (TimeoutException e) {
        throw new AssertionFailedError("a send without an answer", e);
      }
    }

    /** Waits until a message of each pattern arrives again. */
    void awaitWorking() {
      String probe = "probe" + probes.incrementAndGet();
      await(
          "all patterns working",
          () -> {
            pushAndPublish(List.of(probe));
            messaging.send(signal, probe);
            return answers(probe)
                && live.payloads().contains(probe)
                && grouped.payloads().contains(probe)
                && jobs.payloads().contains(probe)
                && signals.payloads().contains(probe);
          },
          () -> "live " + live + ", group " + grouped + ", jobs " + jobs + ", signals " + signals);
    }

    private boolean answers(String probe) {
      try {
        return ("re " + probe)
            .equals(
                messaging.request(subject, probe, Duration.ofSeconds(2)).get(3, TimeUnit.SECONDS));
      } catch (ExecutionException | TimeoutException e) {
        return false;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return false;
      }
    }

    /** Checks that each accepted message was handled by queue and group, at least once. */
    void assertHandled(List<String> accepted) {
      jobs.awaitAll(accepted);
      grouped.awaitAll(accepted);
    }
  }
}
