package dev.mullion.messaging.testing;

import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.IntSummaryStatistics;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;

/** The calls of jobs that always fail, each with its delivery count. */
final class FailedCalls {
  private final Map<String, Queue<Integer>> all = new ConcurrentHashMap<>();

  /** Takes a worker's line: {@code COUNT JOB}. */
  void take(String line) {
    String[] parts = line.split(" ", 2);
    all.computeIfAbsent(parts[1], job -> new ConcurrentLinkedQueue<>())
        .add(Integer.parseInt(parts[0]));
  }

  Set<String> jobs() {
    return all.keySet();
  }

  int of(String job) {
    Queue<Integer> counts = all.get(job);
    return counts == null ? 0 : counts.size();
  }

  /** Checks that a job had each call that is allowed, and had it once. */
  void checkExact(String job, int maxDeliveries) {
    assertThat(all.get(job)).as(job).containsExactlyInAnyOrderElementsOf(countsUpTo(maxDeliveries));
  }

  /**
   * Checks that no call was made twice, unless a kill came between a copy and the acknowledgement
   * of what it was made of. Then both go on, and each has the calls that are left to it.
   */
  void check(int maxDeliveries, int kills) {
    all.forEach((job, counts) -> {
      if (counts.size() > maxDeliveries) {
        System.out.println(job + " had the calls " + counts);
      }
      Map<Integer, Long> times = counts.stream().collect(groupingBy(count -> count, counting()));
      assertThat(times.keySet()).as(job).isSubsetOf(countsUpTo(maxDeliveries));
      assertThat(times.values()).as(job + ": " + counts).allMatch(each -> each <= 1 + kills);
    });
  }

  private static List<Integer> countsUpTo(int limit) {
    return IntStream.rangeClosed(1, limit).boxed().toList();
  }

  @Override
  public String toString() {
    IntSummaryStatistics calls = all.values().stream().mapToInt(Queue::size).summaryStatistics();
    return calls.getCount() == 0 ? "none" : calls.toString();
  }
}
