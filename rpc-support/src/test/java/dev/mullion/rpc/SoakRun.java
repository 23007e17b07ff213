package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;

/** Runs clients of all kinds at random, several at a time, and keeps what went wrong. */
final class SoakRun {
  /** A client from its first connection to its last. What breaks its model it throws. */
  @FunctionalInterface
  interface Client {
    void run(Random random) throws Exception;
  }

  /** What a test does that may fail. */
  @FunctionalInterface
  interface Action {
    void run() throws Exception;
  }

  private static final int AT_A_TIME = 10;

  /** No client takes longer, on any machine. */
  private static final Duration LONGEST = Duration.ofMinutes(3);

  private static final int MOST_TOLD = 20;

  private final AtomicLong seeds;
  private final List<Map.Entry<String, Client>> clients = new ArrayList<>();
  private final Map<String, LongAdder> runs = new TreeMap<>();
  private final ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
  private final LongAdder wrongs = new LongAdder();

  SoakRun(long seed) {
    seeds = new AtomicLong(seed);
  }

  /** Adds a kind of client; one of more weight comes more often. */
  void add(String name, int weight, Client client) {
    runs.put(name, new LongAdder());
    for (int i = 0; i < weight; i++) {
      clients.add(Map.entry(name, client));
    }
  }

  /** Runs clients, but none of some kinds. */
  void forTime(Duration time, Set<String> without) throws Exception {
    long end = System.nanoTime() + time.toNanos();
    List<CompletableFuture<Void>> workers = new ArrayList<>();
    for (int i = 0; i < AT_A_TIME; i++) {
      workers.add(Threads.run(() -> runUntil(end, without)));
    }
    for (CompletableFuture<Void> worker : workers) {
      try {
        worker.get(time.plus(LONGEST).toNanos(), TimeUnit.NANOSECONDS);
      } catch (ExecutionException | TimeoutException e) {
        note("a client has not ended: " + e);
      }
    }
  }

  private void runUntil(long end, Set<String> without) {
    while (System.nanoTime() - end < 0) {
      long seed = seeds.incrementAndGet();
      Random random = new Random(seed);
      Map.Entry<String, Client> client = clients.get(random.nextInt(clients.size()));
      if (without.contains(client.getKey())) {
        continue;
      }
      expect(client.getKey() + " (seed " + seed + ")", () -> client.getValue().run(random));
      requireNonNull(runs.get(client.getKey())).increment();
    }
  }

  /** Keeps what goes wrong. */
  void expect(String name, Action action) {
    try {
      action.run();
    } catch (Throwable t) {
      note(name + ": " + ownLines(t));
    }
  }

  /** Returns the lines of a stack trace that name Mullion or a cause. */
  private static String ownLines(Throwable thrown) {
    StringWriter trace = new StringWriter();
    thrown.printStackTrace(new PrintWriter(trace, true));
    return trace
        .toString()
        .lines()
        .filter(line -> !line.startsWith("\tat ") || line.contains("mullion"))
        .collect(Collectors.joining("\n"));
  }

  /** Does what a server may refuse, at once or in the end. */
  static void attack(Action attack) throws Exception {
    try {
      attack.run();
    } catch (SocketTimeoutException e) {
      throw new AssertionError("the server has not ended the connection", e);
    } catch (IOException refused) {
      assertThat(refused).isNotNull();
    }
  }

  private void note(String what) {
    wrongs.increment();
    if (wrong.size() < MOST_TOLD) {
      wrong.add(what);
    }
  }

  /** Returns the first of what went wrong. */
  Collection<String> wrong() {
    return wrong;
  }

  String summary() {
    StringBuilder text = new StringBuilder("clients:");
    runs.forEach((name, times) -> text.append(' ').append(name).append('=').append(times));
    return text.append("\nwrong: ").append(wrongs).append('\n').toString();
  }
}
