package dev.mullion.messaging;

import static dev.mullion.messaging.StoreJobs.add;
import static dev.mullion.messaging.StoreJobs.letter;
import static dev.mullion.messaging.StoreJobs.queue;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.mullion.messaging.RecordedFile.Event;
import dev.mullion.messaging.RecordedFile.Image;
import dev.mullion.messaging.Store.Contents;
import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Step;
import dev.mullion.messaging.Store.StoredQueue;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * Opens a store as a power failure would leave it, at each moment between two writes, with all that
 * was synced and any part of the rest: it holds all that was acknowledged, each commit whole or not
 * at all. {@code -Dmullion.store.crashSeconds=N} runs for longer than {@code verify} does.
 */
class StoreCrashTest {
  private static final Path PATH = Path.of("store.mv");
  private static final int COMMITS = 60;
  private static final int GENERATIONS = 3;

  /** A workload's random numbers, and the store's contents after each commit. */
  private static final class Run {
    final Random random;
    final long seed;
    Map<String, String> state = new TreeMap<>();
    long nextNumber;

    Run(long seed) {
      this.seed = seed;
      this.random = new Random(seed);
    }
  }

  @Test
  void holdsWhatWasAcknowledgedAtEachCut() throws Exception {
    long seconds = Long.getLong("mullion.store.crashSeconds", 2);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    long seed = Long.getLong("mullion.store.crashSeed", System.nanoTime());
    long cuts = 0;
    do {
      cuts += run(new Run(seed++), end);
    } while (System.nanoTime() < end);
    assertThat(cuts).isGreaterThan(100);
    System.out.println("files opened: " + cuts);
  }

  private static long run(Run run, long end) throws Exception {
    RecordedFile made = new RecordedFile(new Image());
    StoreMaps.create(made, PATH);
    Image image = new Image();
    made.events().forEach(image::apply);
    long cuts = 0;
    for (int i = 0; i < GENERATIONS && System.nanoTime() < end; i++) {
      RecordedFile file = new RecordedFile(image);
      List<Map<String, String>> states = work(run, file);
      Cut cut = new Cut(run, file, states);
      cuts += cut.all(end);
      image = cut.oneToGoOnWith();
    }
    return cuts;
  }

  /** Changes a store at random; returns what it holds after each commit. */
  private static List<Map<String, String>> work(Run run, RecordedFile file) throws Exception {
    StoreMaps maps = StoreMaps.open(file, PATH, false, 0);
    List<Map<String, String>> states = new ArrayList<>();
    states.add(new TreeMap<>(run.state));
    int commits = 1 + run.random.nextInt(COMMITS);
    for (int i = 1; i <= commits; i++) {
      List<Step> steps = new ArrayList<>();
      for (int n = run.random.nextInt(8); n >= 0; n--) {
        steps.addAll(step(run));
      }
      states.add(new TreeMap<>(run.state));
      file.commit(i, false, maps.version());
      StoreChange.of(steps).edits().forEach(maps::apply);
      maps.commit();
      file.commit(i, true, maps.version());
      if (run.random.nextInt(8) == 0) {
        maps.compact();
      }
    }
    if (run.random.nextBoolean()) {
      maps.close();
    }
    return states;
  }

  private static List<Step> step(Run run) {
    int queue = run.random.nextInt(2);
    String declared = "queue " + queue;
    if (!run.state.containsKey(declared)) {
      run.state.put(declared, "");
      return List.of(new Step.Declare(queue(queue, "orders-" + queue)));
    }
    List<String> jobs = run.state.keySet().stream()
        .filter(key -> key.startsWith("job " + queue))
        .toList();
    int kind = run.random.nextInt(run.random.nextInt(3) == 0 ? 100 : 10);
    if (kind == 99) {
      run.state.keySet().removeIf(key -> key.startsWith("job " + queue));
      run.state.keySet().removeIf(key -> key.startsWith("dead " + queue));
      run.state.remove(declared);
      return List.of(new Step.DeleteQueue(queue));
    }
    if (kind < 5 || jobs.isEmpty()) {
      return push(run, queue);
    }
    String job = jobs.get(run.random.nextBoolean() ? 0 : run.random.nextInt(jobs.size()));
    return settle(run, queue, job, Long.parseLong(job.substring(6), 10));
  }

  private static List<Step> push(Run run, int queue) {
    int length = run.random.nextInt(run.random.nextInt(20) == 0 ? 100_000 : 3000);
    byte[] bytes = new byte[length];
    run.random.nextBytes(bytes);
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    long number = run.nextNumber++;
    run.state.put(key("job", queue, number), "0 " + text.hashCode());
    return List.of(add(queue, number, text));
  }

  private static List<Step> settle(Run run, int queue, String key, long number) {
    String known = run.state.getOrDefault(key, "");
    String text = known.substring(known.indexOf(' ') + 1);
    int failures = Integer.parseInt(known.substring(0, known.indexOf(' ')));
    if (run.random.nextInt(3) == 0) {
      run.state.put(key, failures + 1 + " " + text);
      return List.of(new Step.UpdateJob(queue, StoreJobs.job(number, failures + 1, 0, 0)));
    }
    run.state.remove(key);
    if (run.random.nextInt(4) == 0) {
      run.state.put(key("dead", queue, number), text);
      return List.of(
          new Step.BuryJob(queue, number, number, DeadLetter.Reason.REJECTED, "no", 1, 0));
    }
    if (run.random.nextInt(8) == 0) {
      String dead = "dead of " + number;
      run.state.put(key("dead", queue, number), "" + dead.hashCode());
      return List.of(
          new Step.AddDeadLetter(queue, number, "a", letter(dead)),
          new Step.RemoveJob(queue, number));
    }
    return List.of(new Step.RemoveJob(queue, number));
  }

  private static String key(String kind, int queue, long number) {
    return String.format("%s %d%08d", kind, queue, number);
  }

  /** The files that a power failure may leave. */
  private static final class Cut {
    private final Run run;
    private final RecordedFile file;
    private final List<Map<String, String>> states;
    private final Image synced;
    private final List<Event> unsynced = new ArrayList<>();
    private int acknowledged;
    private int begun;
    private long syncedVersion;
    private Image goOn;
    private Map<String, String> goOnState;
    private int opened;

    Cut(Run run, RecordedFile file, List<Map<String, String>> states) {
      this.run = run;
      this.file = file;
      this.states = states;
      this.synced = file.start().copy();
      this.goOn = synced;
      this.goOnState = new TreeMap<>(states.get(0));
    }

    /** Tries each cut; returns how many files were opened. */
    long all(long end) throws Exception {
      for (Event event : file.events()) {
        if (event instanceof Event.Commit commit) {
          begun = commit.number();
          acknowledged = commit.acknowledged() ? begun : acknowledged;
          syncedVersion = commit.acknowledged() ? commit.version() : syncedVersion;
        } else if (event instanceof Event.Sync) {
          unsynced.forEach(synced::apply);
          unsynced.clear();
        } else {
          unsynced.add(event);
        }
        if (System.nanoTime() < end) {
          at();
        }
      }
      return opened;
    }

    private void at() throws Exception {
      check(whole(unsynced.size()), "all that was written");
      if (unsynced.isEmpty()) {
        return;
      }
      Event last = unsynced.get(unsynced.size() - 1);
      if (last instanceof Event.Write write) {
        Image image = whole(unsynced.size() - 1);
        image.applyPrefix(write, run.random.nextInt(write.bytes().length));
        check(image, "a torn last write");
        image = whole(unsynced.size() - 1);
        image.applySectors(write, run.random);
        check(image, "a last write with sectors missing");
      }
      check(some(), "some of the writes since the sync");
    }

    private Image whole(int count) {
      Image image = synced.copy();
      unsynced.subList(0, count).forEach(image::apply);
      return image;
    }

    private Image some() {
      Image image = synced.copy();
      for (Event event : unsynced) {
        int how = run.random.nextInt(3);
        if (how == 0 && event instanceof Event.Write write) {
          image.applySectors(write, run.random);
        } else if (how == 1) {
          image.apply(event);
        }
      }
      return image;
    }

    private void check(Image image, String what) {
      opened++;
      String where = String.format(
          "seed %d, commit %d (acknowledged: %d), %d writes unsynced, %s",
          run.seed, begun, acknowledged, unsynced.size(), what);
      try {
        long known = run.random.nextBoolean() ? syncedVersion : 0;
        Map<String, String> found = contents(image.copy(), known);
        if (!found.equals(states.get(acknowledged)) && !found.equals(states.get(begun))) {
          fail(where + ": " + difference(found));
        }
        if (run.random.nextInt(opened) == 0) {
          goOn = image;
          goOnState = found;
        }
      } catch (Exception e) {
        throw new AssertionError(where + ": " + e.getMessage(), e);
      }
    }

    private String difference(Map<String, String> found) {
      Map<String, String> expected = new TreeMap<>(states.get(acknowledged));
      Map<String, String> missing = new TreeMap<>(expected);
      missing.entrySet().removeAll(found.entrySet());
      Map<String, String> more = new TreeMap<>(found);
      more.entrySet().removeAll(expected.entrySet());
      return "missing " + missing + ", more " + more;
    }

    Image oneToGoOnWith() {
      run.state = goOnState;
      return goOn;
    }
  }

  private static Map<String, String> contents(Image image, long syncedVersion) throws Exception {
    StoreMaps maps = StoreMaps.open(new RecordedFile(image), PATH, false, syncedVersion);
    Map<String, String> found = new TreeMap<>();
    for (StoredQueue queue : maps.queues()) {
      int number = queue.number();
      found.put("queue " + number, "");
      Contents contents = maps.contents(queue);
      for (Job job : contents.jobs()) {
        byte[] bytes = read(maps, number, job.number(), StoreMaps.Kind.MESSAGE);
        String text = StoreJobs.text(StoreCodec.stored(bytes));
        found.put(key("job", number, job.number()), job.failures() + " " + text.hashCode());
      }
      for (long dead : contents.deadLetters()) {
        byte[] bytes = read(maps, number, dead, StoreMaps.Kind.DEAD_LETTER);
        byte[] payload = StoreCodec.letter(bytes).letter().original().payload();
        String text = new String(payload, StandardCharsets.UTF_8);
        found.put(key("dead", number, dead), "" + text.hashCode());
      }
    }
    return found;
  }

  private static byte[] read(StoreMaps maps, int queue, long number, StoreMaps.Kind kind)
      throws StoreException {
    return requireNonNull(maps.read(queue, number, kind), kind.text);
  }
}
