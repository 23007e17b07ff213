package dev.mullion.messaging;

import static dev.mullion.messaging.Receiving.await;
import static dev.mullion.messaging.Receiving.checked;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Handlers that return, throw, reject, block, come late, extend, pause and stop, at random: each
 * delivery is settled exactly once, no message is lost, and the counts add up at every moment.
 */
class RandomSubscriptionTest {
  private static final int ROUNDS = 40;
  private static final int MESSAGES = 120;

  enum Kind {
    BLOCKING,
    ASYNC,
    BATCH
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void everyDeliveryEndsOnce(Kind kind) throws Exception {
    long seed = ThreadLocalRandom.current().nextLong();
    for (int round = 0; round < ROUNDS; round++) {
      try {
        new Round(kind, new Random(seed + round)).run();
      } catch (Throwable e) {
        throw new AssertionError("round " + round + " of seed " + seed, e);
      }
    }
  }

  /** One subscription from its start to its stop. */
  private static final class Round {
    private final Kind kind;
    private final Random random;
    private final Receiving receiving = new Receiving();
    private final CountDownLatch release = new CountDownLatch(1);
    private final CompletableFuture<Subscription> self = new CompletableFuture<>();
    private final List<ScriptedDelivery> deliveries = new CopyOnWriteArrayList<>();
    private final Map<String, Integer> finals = new ConcurrentHashMap<>();
    private final Set<String> open = ConcurrentHashMap.newKeySet();
    private final AtomicInteger running = new AtomicInteger();
    private final AtomicInteger tooMany = new AtomicInteger();
    private final int concurrency;
    private final boolean stopsInside;

    Round(Kind kind, Random random) {
      this.kind = kind;
      this.random = random;
      this.concurrency = 1 + random.nextInt(4);
      this.stopsInside = random.nextInt(3) == 0;
    }

    void run() throws Exception {
      WorkQueue<String> queue = WorkQueue.builder("q", Codecs.utf8())
          .redelivery(Redelivery.immediate(1 + random.nextInt(4)))
          .handlerTimeout(Duration.ofSeconds(30))
          .build();
      WorkerBuilder<String> worker = receiving
          .subscriptions
          .worker(queue)
          .concurrency(concurrency)
          .prefetch(random.nextInt(20));
      self.complete(
          switch (kind) {
            case BLOCKING -> worker.start(this::handle);
            case ASYNC -> worker.startAsync(this::handleAsync);
            case BATCH -> worker.startBatch(1 + random.nextInt(5), this::handleBatch);
          });
      ScriptedSource source = receiving.source("q");
      for (int i = 0; i < MESSAGES; i++) {
        open.add("m" + i);
        push(source, "m" + i, 0, random.nextInt(8) == 0 ? 1 : 0);
        checked(self.join());
      }
      work();
      CompletableFuture<StopReport> stop = CompletableFuture.supplyAsync(
          () -> self.join().stop(Duration.ofSeconds(10)), receiving.callbacks);
      while (!stop.isDone()) {
        tick();
      }
      release.countDown();
      await("the late returns", () -> receiving.subscriptions.handlersRunning() == 0);
      verify(source);
      receiving.close();
    }

    /** Lets time pass for a while, or until a handler has stopped the subscription. */
    private void work() {
      int ticks = 20 + random.nextInt(80);
      for (int i = 0; i < ticks; i++) {
        tick();
      }
    }

    private void tick() {
      checked(self.join());
      if (self.join().isPaused()) {
        self.join().resume();
      }
      receiving.engine.clock.advance(Duration.ofMillis(random.nextInt(3000)));
      LockSupport.parkNanos(20_000);
    }

    private void push(ScriptedSource source, String text, int failures, int losses) {
      ScriptedDelivery delivery =
          ScriptedDelivery.of("q", text).failures(failures).losses(losses);
      delivery.answers = outcome -> answer();
      delivery.settled = () -> settled(source, delivery);
      deliveries.add(delivery);
      source.push(delivery);
    }

    private CompletableFuture<Settlement> answer() {
      Settlement settlement =
          ThreadLocalRandom.current().nextInt(20) == 0 ? Settlement.UNKNOWN : Settlement.APPLIED;
      return ThreadLocalRandom.current().nextBoolean()
          ? CompletableFuture.completedFuture(settlement)
          : CompletableFuture.supplyAsync(() -> settlement, receiving.callbacks);
    }

    private void settled(ScriptedSource source, ScriptedDelivery delivery) {
      Outcome outcome = delivery.outcomes.get(0);
      if (outcome instanceof Outcome.Redeliver) {
        push(source, delivery.text(), delivery.failures + 1, delivery.losses);
      } else if (outcome instanceof Outcome.GiveBack back) {
        push(
            source, delivery.text(), delivery.failures, delivery.losses + (back.counted() ? 1 : 0));
      } else {
        finals.merge(delivery.text(), 1, Integer::sum);
      }
    }

    private void handle(Delivery<String> delivery) throws Exception {
      enter();
      try {
        act(delivery);
      } finally {
        running.decrementAndGet();
      }
    }

    private void enter() {
      if (running.incrementAndGet() > concurrency) {
        tooMany.incrementAndGet();
      }
    }

    private void act(Delivery<String> delivery) throws Exception {
      ThreadLocalRandom dice = ThreadLocalRandom.current();
      switch (dice.nextInt(14)) {
        case 0 -> throw new IllegalStateException("boom");
        case 1 -> throw new LinkageError("an Error");
        case 2 -> throw new RejectedMessageException("rejected");
        case 3 -> throw new UndecodableMessageException("undecodable");
        case 4 ->
          throw new dev.mullion.messaging.engine.HandlerLostException("lost", dice.nextBoolean());
        case 5 -> release.await(); // until it is interrupted, or until the end
        case 6 -> LockSupport.parkNanos(100_000);
        case 7 -> delivery.extend(Duration.ofSeconds(1 + dice.nextInt(60)));
        case 8 -> self.join().pause();
        case 9 -> {
          if (stopsInside && dice.nextInt(5) == 0) {
            self.join().stop(Duration.ofSeconds(5));
          }
        }
        case 10 -> {
          Thread.currentThread().interrupt();
          LockSupport.parkNanos(1000);
        }
        default -> {}
      }
    }

    private CompletableFuture<Void> handleAsync(Delivery<String> delivery) {
      enter();
      switch (ThreadLocalRandom.current().nextInt(4)) {
        case 0 -> {
          return later(() -> {});
        }
        case 1 -> {
          return later(this::awaitRelease);
        }
        default -> {
          try {
            if (ThreadLocalRandom.current().nextInt(4) == 0) {
              throw new RejectedMessageException(delivery.toString());
            }
            delivery.extend(Duration.ofSeconds(1));
            return CompletableFuture.completedFuture(null);
          } catch (RejectedMessageException e) {
            return CompletableFuture.failedFuture(e);
          } finally {
            running.decrementAndGet();
          }
        }
      }
    }

    /** Completes a stage, or fails it, on another thread and perhaps too late. */
    private CompletableFuture<Void> later(Runnable before) {
      boolean fails = ThreadLocalRandom.current().nextBoolean();
      CompletableFuture<Void> stage = new CompletableFuture<>();
      receiving.callbacks.execute(() -> {
        before.run();
        running.decrementAndGet();
        if (fails) {
          stage.completeExceptionally(new IllegalStateException("late boom"));
        } else {
          stage.complete(null);
        }
      });
      return stage;
    }

    private void awaitRelease() {
      try {
        release.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void handleBatch(WorkerBuilder.BatchDelivery<String> batch) throws Exception {
      enter();
      try {
        for (Delivery<String> each : batch.deliveries()) {
          if (ThreadLocalRandom.current().nextInt(4) == 0) {
            batch.fail(each, new IllegalStateException("one of them"));
          }
        }
        act(batch.deliveries().get(0));
      } finally {
        running.decrementAndGet();
      }
    }

    private List<ScriptedDelivery> handedOut() {
      return deliveries.stream().filter(each -> !each.outcomes.isEmpty()).toList();
    }

    private void verify(ScriptedSource source) {
      await("the end", () -> checked(self.join()).inFlight() == 0);
      SubscriptionCounters counters = checked(self.join());
      assertThat(counters.buffered()).isZero();
      assertThat(tooMany).hasValue(0);
      await("the close", () -> source.closes.get() == 1);
      // The clock runs fast here, so the stop may not have waited for the last outcomes.
      await("all outcomes", () -> handedOut().size() == checked(self.join()).delivered());
      assertThat(handedOut()).allMatch(each -> each.outcomes.size() == 1 && each.begins.get() <= 1);
      await("what goes back", () -> finals.size() + source.waiting() == open.size());
      assertThat(deliveries.size() - handedOut().size()).isEqualTo(source.waiting());
      assertThat(finals.values()).allMatch(count -> count == 1);
      StopReport report = self.join().stop(Duration.ZERO);
      assertThat(report.finished()).isNotNegative();
      assertThat(report.givenBack()).isBetween(0L, counters.givenBack());
    }
  }
}
