package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.StopReport;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.SubscriptionCounters;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.opentest4j.AssertionFailedError;

/** Stops, closes and interrupts: cases 65 to 68 and 71. */
public abstract class LifeSuite extends EngineSuite {
  private final CountDownLatch release = new CountDownLatch(1);

  /** Creates the suite. */
  protected LifeSuite() {}

  @EachHandlerKind
  @DisplayName("65. a stop at a random moment adds up, and nothing is lost")
  void stopAtRandomMoments(HandlerKind kind) throws Exception {
    int rounds = LongForms.on() ? 100 : 10;
    long seed = LongForms.seed();
    Random random = new Random(seed);
    for (int round = 0; round < rounds; round++) {
      stopWithWorkInFlight(
          kind, random.nextInt(profile().scaled(80)), "seed " + seed + ", round " + round + ": ");
      closeAll();
    }
  }

  private void stopWithWorkInFlight(HandlerKind kind, int moment, String when) throws Exception {
    WorkQueue<String> queue = queue(50);
    List<String> sent = numbered("", profile().scaled(100));
    Messaging other = messaging();
    pushAll(other, queue, sent);
    Messaging stopping = messaging();
    Received<String> received = received();
    Set<String> done = new HashSet<>();
    Subscription worker =
        ready(kind.start(stopping.worker(queue).concurrency(4).prefetch(8), delivery -> {
          received.add(delivery);
          // Some fail, and a few are slow enough to be caught by the stop.
          int number = Integer.parseInt(delivery.payload());
          if (number % 10 == 3 && delivery.deliveryCount() == 1) {
            throw new IllegalStateException("once");
          }
          release.await(number % 7 == 0 ? 5 : 0, TimeUnit.MILLISECONDS);
          synchronized (done) {
            done.add(delivery.payload());
          }
        }));
    await(moment + " deliveries", () -> received.size() >= moment, () -> received);
    StopReport report = stopping.stop(Duration.ofSeconds(5));
    int afterStop = received.size();
    SubscriptionCounters counts = worker.counters();
    assertEquals(
        counts.delivered(),
        counts.acknowledged()
            + counts.failed()
            + counts.timedOut()
            + counts.rejected()
            + counts.undecodable()
            + counts.givenBack()
            + counts.buried()
            + counts.inFlight()
            + counts.buffered(),
        when + counts);
    assertEquals(0, counts.inFlight() + counts.buffered(), when + counts);
    assertEquals(0, report.interrupted(), when + report);
    assertTrue(counts.givenBack() >= report.givenBack(), when + report + ", " + counts);
    Received<String> rest = received();
    ready(other.pull(queue, rest));
    await(
        when + "every job handled",
        () -> allDone(done, rest, sent),
        () -> received + " before the stop, " + rest + " after it");
    assertEquals(afterStop, received.size(), when + "handlers began after the stop");
    rest.awaitQuiet();
    if (counts.leasesLost() == 0) {
      rest.payloads()
          .forEach(each -> assertTrue(
              !done.contains(each) || profile().duplicates() > 0, when + each + " twice"));
    }
  }

  private static boolean allDone(Set<String> done, Received<String> rest, List<String> sent) {
    synchronized (done) {
      Set<String> all = new HashSet<>(done);
      all.addAll(rest.payloads());
      return all.containsAll(sent);
    }
  }

  @Test
  @DisplayName("66. at the stop's deadline handlers are interrupted, and their messages come again")
  void stopDeadline() throws Exception {
    WorkQueue<String> queue = queue();
    Messaging stopping = messaging();
    AtomicBoolean interrupted = new AtomicBoolean();
    Received<String> first = received();
    ready(stopping.worker(queue).start(delivery -> {
      first.add(delivery);
      try {
        release.await(20, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        interrupted.set(true);
        throw e;
      }
    }));
    Messaging other = messaging();
    get(other.push(queue, "job"));
    first.awaitAll(List.of("job"));
    long start = System.nanoTime();
    StopReport report = stopping.stop(Duration.ofMillis(100));
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    assertTrue(took.compareTo(Duration.ofSeconds(5)) < 0, "the stop took " + took);
    assertEquals(1, report.interrupted(), report.toString());
    await("an interrupt", interrupted::get, interrupted::get);
    Received<String> second = received();
    ready(other.pull(queue, second));
    second.awaitExactly(List.of("job"));
  }

  @Test
  @DisplayName("66. a handler that ignores the interrupt does not hold up the stop")
  void stopOfDeafHandler() throws Exception {
    WorkQueue<String> queue = queue();
    Messaging stopping = messaging();
    Received<String> first = received();
    AtomicBoolean end = new AtomicBoolean();
    ready(stopping.pull(queue, delivery -> {
      first.add(delivery);
      while (!end.get()) {
        Thread.onSpinWait();
      }
    }));
    Messaging other = messaging();
    get(other.push(queue, "job"));
    first.awaitAll(List.of("job"));
    try {
      get(
          CompletableFuture.supplyAsync(() -> stopping.stop(Duration.ofMillis(100))),
          Duration.ofSeconds(10),
          "the stop");
      Received<String> second = received();
      ready(other.pull(queue, second));
      second.awaitExactly(List.of("job"));
    } finally {
      end.set(true);
    }
  }

  @Test
  @DisplayName("67. close can be called twice, and by eight threads at once")
  void closeTwice() throws Exception {
    Messaging messaging = messaging();
    Subscription worker = ready(messaging.pull(queue(), delivery -> {}));
    worker.close();
    worker.close();
    ready(messaging.subscribe(topic(), delivery -> {}));
    List<CompletableFuture<Void>> closing = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      closing.add(CompletableFuture.runAsync(messaging::close));
    }
    getAll(closing);
    messaging.close();
    worker.close();
  }

  @EachHandlerKind
  @DisplayName("67. close inside a handler does not wait for that handler")
  void closeInsideHandler(HandlerKind kind) throws Exception {
    Messaging messaging = messaging(builder -> builder.stopTimeout(Duration.ofSeconds(20)));
    WorkQueue<String> queue = queue();
    CompletableFuture<Subscription> worker = new CompletableFuture<>();
    CompletableFuture<Long> closed = new CompletableFuture<>();
    Runnable close = () -> {
      long start = System.nanoTime();
      worker.join().close();
      messaging.close();
      closed.complete(System.nanoTime() - start);
    };
    worker.complete(ready(
        kind == HandlerKind.BLOCKING
            ? messaging.worker(queue).start(delivery -> close.run())
            : messaging.worker(queue).startAsync(delivery -> {
              close.run();
              return CompletableFuture.completedFuture(null);
            })));
    get(messaging.push(queue, "job"));
    long took = get(closed);
    assertTrue(took < Duration.ofSeconds(10).toNanos(), took / 1_000_000 + " ms");
  }

  @Test
  @DisplayName("67. close while a sender waits for room: the sender's future fails")
  void closeWhileSenderWaits() throws Exception {
    Subject<String, String> subject = subject();
    CompletableFuture<String> never = new CompletableFuture<>();
    ready(messaging().replier(subject).startAsync(request -> never));
    Messaging messaging = messaging(builder -> builder
        .maxPending(1)
        .sendTimeout(Duration.ofMinutes(1))
        .stopTimeout(Duration.ofMillis(200)));
    CompletableFuture<String> first = messaging.request(subject, "x", Duration.ofMinutes(1));
    CompletableFuture<CompletableFuture<String>> waiting =
        CompletableFuture.supplyAsync(() -> messaging.request(subject, "y", Duration.ofMinutes(1)));
    holds("waiting", () -> !waiting.isDone(), () -> waiting);
    messaging.close();
    failure(Throwable.class, first);
    never.complete("too late");
    try {
      failure(Throwable.class, get(waiting));
    } catch (AssertionFailedError e) {
      // The waiting call itself may throw what calls after close throw.
      assertTrue(e.getCause() instanceof IllegalStateException, e.toString());
    }
  }

  @Test
  @DisplayName("68. each verb after close throws IllegalStateException and says so")
  void useAfterClose() throws Exception {
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    WorkQueue<String> queue = queue();
    Subject<String, String> subject = subject();
    Signal<String> signal = signal();
    messaging.close();
    List<Executable> uses = List.of(
        () -> messaging.publish(topic, "x"),
        () -> messaging.subscribe(topic, delivery -> {}),
        () -> messaging.push(queue, "x"),
        () -> messaging.pull(queue, delivery -> {}),
        () -> messaging.declare(queue),
        () -> messaging.request(subject, "x", Duration.ofSeconds(1)),
        () -> messaging.reply(subject, request -> "x"),
        () -> messaging.send(signal, "x"),
        () -> messaging.receive(signal, delivery -> {}));
    for (int i = 0; i < uses.size(); i++) {
      IllegalStateException closed =
          assertThrows(IllegalStateException.class, uses.get(i), "use " + i);
      String text = String.valueOf(closed.getMessage());
      assertTrue(text.contains("closed"), text);
    }
    assertTrue(messaging.counters().sent() >= 0);
  }

  @Test
  @DisplayName("71. an interrupted sender keeps its flag, and what was accepted arrives")
  void interruptedSender() throws Exception {
    Messaging messaging =
        messaging(builder -> builder.maxPending(1).sendTimeout(Duration.ofSeconds(20)));
    Subject<String, String> subject = subject();
    CompletableFuture<String> reply = new CompletableFuture<>();
    ready(messaging().replier(subject).startAsync(request -> reply));
    CompletableFuture<String> occupying = messaging.request(subject, "x", Duration.ofMinutes(1));
    WorkQueue<String> queue = queue();
    AtomicBoolean flag = new AtomicBoolean();
    CompletableFuture<CompletableFuture<Void>> pushed = new CompletableFuture<>();
    Thread sender = new Thread(() -> {
      CompletableFuture<Void> push = messaging.push(queue, "interrupted");
      flag.set(Thread.currentThread().isInterrupted());
      pushed.complete(push);
    });
    sender.start();
    await(
        "a waiting sender",
        () -> sender.getState() != Thread.State.RUNNABLE && sender.getState() != Thread.State.NEW,
        sender::getState);
    sender.interrupt();
    CompletableFuture<Void> push = get(pushed);
    assertTrue(flag.get(), "the interrupt flag is gone");
    reply.complete("reply");
    get(occupying);
    List<String> expected = new ArrayList<>(List.of("after"));
    get(messaging.push(queue, "after"));
    try {
      push.get(profile().delivery().toMillis(), TimeUnit.MILLISECONDS);
      expected.add("interrupted");
    } catch (ExecutionException e) {
      assertTrue(e.getCause() instanceof MessagingException, e::toString);
    }
    Received<String> received = received();
    ready(messaging.pull(queue, received));
    received.awaitExactly(expected);
  }

  @Test
  @DisplayName("71. a handler's interrupt flag does not reach the next message")
  void interruptedHandler() throws Exception {
    Messaging messaging = messaging();
    WorkQueue<String> queue = queue();
    ConcurrentLinkedQueue<String> flagged = new ConcurrentLinkedQueue<>();
    Received<String> received = received();
    Subscription worker = ready(messaging.pull(queue, delivery -> {
      if (Thread.currentThread().isInterrupted()) {
        flagged.add(delivery.payload());
      }
      received.add(delivery);
      Thread.currentThread().interrupt();
      if (delivery.payload().equals("3") && delivery.deliveryCount() == 1) {
        throw new InterruptedException("once");
      }
    }));
    List<String> sent = numbered("", 20);
    pushAll(messaging, queue, sent);
    List<String> expected = new ArrayList<>(sent);
    expected.add("3");
    received.awaitExactly(expected);
    assertEquals(List.of(), List.copyOf(flagged));
    awaitAcknowledged(worker, 20);
  }
}
