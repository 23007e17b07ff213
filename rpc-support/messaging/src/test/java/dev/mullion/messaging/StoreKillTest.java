package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Store.Contents;
import dev.mullion.messaging.Store.Job;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills a process that works on a store ({@code kill -9}) at random moments, and compares what the
 * store holds with what it had acknowledged. {@code -Dmullion.store.killRounds=N} for more rounds.
 */
class StoreKillTest {
  @TempDir
  Path directory;

  private final Map<Long, Job> jobs = new HashMap<>();
  private final Set<Long> letters = new HashSet<>();

  @Test
  @Timeout(value = 1, unit = TimeUnit.HOURS)
  void holdsWhatAKilledProcessAcknowledged() throws Exception {
    int rounds = Integer.getInteger("mullion.store.killRounds", 2);
    Random random = new Random();
    long acknowledged = 0;
    for (int round = 0; round < rounds; round++) {
      long seed = random.nextLong();
      List<String> lines = runAndKill(seed, 100 + random.nextInt(5000));
      Map<Long, List<String>> events = new HashMap<>();
      for (String line : lines) {
        int space = line.lastIndexOf(' ');
        long number = Long.parseLong(line.substring(space + 1));
        events.computeIfAbsent(number, n -> new ArrayList<>()).add(line.substring(0, space));
        acknowledged += line.startsWith("ack") ? 1 : 0;
      }
      compare("round " + round + ", seed " + seed, events);
    }
    assertThat(acknowledged).isGreaterThan(rounds * 10L);
    System.out.println("changes acknowledged in " + rounds + " lives: " + acknowledged);
  }

  /** Kills a process once it has told of so many changes. */
  private List<String> runAndKill(long seed, int changes) throws IOException, InterruptedException {
    Process child = StoreProcess.start(StoreProcess.WORK, directory, seed);
    List<String> lines = new ArrayList<>();
    try (BufferedReader out = child.inputReader()) {
      assertThat(out.readLine()).isEqualTo("open");
      StringBuilder line = new StringBuilder();
      int next;
      while ((next = out.read()) >= 0) { // a last line without an end is none
        if (next == '\n') {
          lines.add(line.toString());
          line.setLength(0);
        } else {
          line.append((char) next);
        }
        if (lines.size() >= changes) {
          child.toHandle().destroyForcibly(); // keeps the stream open
        }
      }
    } finally {
      child.destroyForcibly().waitFor();
    }
    return lines;
  }

  private void compare(String where, Map<Long, List<String>> events) throws Exception {
    try (MvStore store = MvStore.open(directory, MessagingClock.system())) {
      Contents contents = store.load().get(0);
      Map<Long, Job> found = new HashMap<>();
      for (Job job : contents.jobs()) {
        found.put(job.number(), job);
        assertThat(StoreJobs.text(store.readJob(0, job.number())))
            .isEqualTo(StoreWorkload.text(job.number()));
      }
      Set<Long> dead = new HashSet<>(contents.deadLetters());
      Set<Long> all = new HashSet<>(events.keySet());
      all.addAll(jobs.keySet());
      all.addAll(found.keySet());
      for (long number : all) {
        List<String> history = events.getOrDefault(number, List.of());
        Job before = jobs.get(number);
        assertThat(problem(before, history, found.get(number), dead.contains(number)))
            .as(
                "%s, job %d before %s, %s, now %s",
                where, number, before, history, found.get(number))
            .isEmpty();
      }
      assertThat(dead).containsAll(letters);
      jobs.clear();
      jobs.putAll(found);
      letters.addAll(dead);
    }
  }

  /** Returns what is wrong with a job after its history; empty if nothing is. */
  private static String problem(
      @Nullable Job before, List<String> history, @Nullable Job now, boolean dead) {
    boolean pushed = before != null || history.contains("ack push");
    boolean maybeGone = history.contains("try remove") || history.contains("try bury");
    boolean gone = history.contains("ack remove") || history.contains("ack bury");
    if (now == null) {
      if (history.contains("ack bury") && !dead) {
        return "acknowledged dead letter is lost";
      }
      return pushed && !maybeGone ? "acknowledged job is lost" : "";
    }
    if (gone) {
      return "acknowledged removal came back";
    }
    if (dead) {
      return "both job and dead letter";
    }
    if (before == null && !history.contains("try push")) {
      return "nobody pushed it";
    }
    return countsProblem(before, history, now);
  }

  private static String countsProblem(@Nullable Job before, List<String> history, Job now) {
    int failed = before == null ? 0 : before.failures();
    int lost = before == null ? 0 : before.losses();
    int begun = count(history, "ack begun");
    int tried = count(history, "try fail");
    int acknowledged = count(history, "ack fail");
    if (now.failures() < failed + acknowledged || now.failures() > failed + tried) {
      return "wrong number of failures";
    }
    boolean maybeGone = history.contains("try remove") || history.contains("try bury");
    int counted = now.failures() + now.losses() - failed - lost;
    if ((begun > tried && !maybeGone) || tried > acknowledged) {
      return counted == begun ? "" : "a begun delivery is not counted, or twice";
    }
    if (count(history, "try begun") > begun && counted == begun + 1) {
      return "";
    }
    return counted == acknowledged || (maybeGone && counted == acknowledged + 1)
        ? ""
        : "a delivery that had ended is counted as a loss";
  }

  private static int count(List<String> history, String what) {
    return (int) history.stream().filter(what::equals).count();
  }
}
