package dev.mullion.messaging.testing;

import static java.util.Objects.requireNonNull;
import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.toList;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * The jobs of a queue that is ordered by key, and the calls they had: {@code KEY/NUMBER}, or {@code
 * KEY/NUMBER/fails}. Each is pushed again until that is acknowledged, and then the next one of its
 * key. So the calls of a key have to be in the order of its numbers, even those that a repeated
 * push or a lost worker has caused.
 */
final class OrderedJobs {
  private static final int KEYS = 8;
  private static final int FAILING_EVERY = 50;
  private static final int MOST_OPEN = 200;
  private static final String FAILS = "/fails";

  private final Messaging messaging;
  private final AtomicInteger rounds = new AtomicInteger(); // of which all are acknowledged
  private final AtomicInteger pushes = new AtomicInteger(); // repeated ones too
  private final Set<String> called = ConcurrentHashMap.newKeySet();
  private final Map<String, Integer> copies = new ConcurrentHashMap<>(); // pushes maybe accepted
  private final Queue<Call> calls = new ConcurrentLinkedQueue<>();

  /** A call, with its time by the clock that all processes share. */
  private record Call(long nanos, String key, int number, boolean fails) {}

  OrderedJobs(Messaging messaging) {
    this.messaging = messaging;
  }

  static boolean fails(String job) {
    return job.endsWith(FAILS);
  }

  /** Pushes, at most some ahead of what is called. */
  void pushWhile(BooleanSupplier condition) {
    while (condition.getAsBoolean()) {
      if (rounds.get() * KEYS - called.size() < MOST_OPEN) {
        pushRound(rounds.get());
        rounds.incrementAndGet();
      } else {
        LockSupport.parkNanos(1_000_000);
      }
    }
  }

  private void pushRound(int number) {
    List<String> open = new ArrayList<>();
    for (int key = 0; key < KEYS; key++) {
      open.add("k" + key + '/' + number + ((number + key) % FAILING_EVERY == 0 ? FAILS : ""));
    }
    while (!open.isEmpty()) {
      Map<String, CompletableFuture<Boolean>> all = new LinkedHashMap<>();
      open.forEach(job -> all.put(job, pushed(job)));
      open.removeIf(job -> requireNonNull(all.get(job)).join());
      if (!open.isEmpty()) { // the broker may be away, so that pushes fail at once
        LockSupport.parkNanos(10_000_000);
      }
    }
  }

  private CompletableFuture<Boolean> pushed(String job) {
    pushes.incrementAndGet();
    String key = job.substring(0, job.indexOf('/'));
    return messaging
        .pushMessage(LossWorker.ORDERED, Message.of(job).withKey(key))
        .handle((none, error) -> {
          if (error == null || (error instanceof MessagingException away && away.maybeAccepted())) {
            copies.merge(job, 1, Integer::sum);
          }
          return error == null;
        });
  }

  /** Takes a worker's line: {@code NANOS JOB}. */
  void take(String line) {
    String[] parts = line.split("[ /]", -1);
    calls.add(
        new Call(Long.parseLong(parts[0]), parts[1], Integer.parseInt(parts[2]), parts.length > 3));
    called.add(line.substring(line.indexOf(' ') + 1));
  }

  int calls() {
    return calls.size();
  }

  boolean areAllCalled() {
    return called.size() >= rounds.get() * KEYS;
  }

  /** Returns how many different jobs were called that fail always. */
  long failing() {
    return called.stream().filter(OrderedJobs::fails).count();
  }

  void check(int maxDeliveries) {
    Map<String, List<Call>> byKey =
        calls.stream().sorted(Comparator.comparingLong(Call::nanos)).collect(groupingBy(Call::key));
    assertThat(byKey).hasSize(KEYS);
    byKey.forEach((key, all) -> {
      List<Integer> numbers = all.stream().map(Call::number).collect(toList());
      assertThat(numbers).as("calls of " + key).isSorted();
      assertThat(numbers.stream().distinct().count()).as(key).isEqualTo(rounds.get());
    });
    int repeated = pushes.get() - rounds.get() * KEYS;
    Map<String, Long> failed = calls.stream()
        .filter(Call::fails)
        .collect(groupingBy(each -> each.key() + '/' + each.number() + FAILS, counting()));
    failed.forEach((job, count) -> assertThat(count)
        .as("calls of " + job)
        .isLessThanOrEqualTo((long) maxDeliveries * requireNonNull(copies.get(job))));
    long above = failed.values().stream().filter(count -> count > maxDeliveries).count();
    System.out.println("ordered by key: " + called.size() + " jobs with " + calls.size()
        + " calls in order, " + repeated + " pushes repeated; " + failed.size()
        + " jobs that fail, "
        + failed.values().stream().filter(count -> count == maxDeliveries).count()
        + " of them with exactly " + maxDeliveries + " calls, " + above + " with more");
  }
}
