package dev.mullion.messaging;

import static dev.mullion.messaging.StoreJobs.add;
import static dev.mullion.messaging.StoreJobs.job;
import static dev.mullion.messaging.StoreJobs.letter;
import static dev.mullion.messaging.StoreJobs.queue;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Store.Step;
import dev.mullion.messaging.engine.Route;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoreReportTest {
  private final ManualClock clock = new ManualClock();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @TempDir
  Path temporary;

  private Path directory = Path.of("");

  @BeforeEach
  void realPath() throws IOException {
    directory = temporary.toRealPath();
  }

  private int run(String... arguments) {
    return StoreReport.run(
        arguments,
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        clock.currentTimeMillis());
  }

  private MvStore filled() throws Exception {
    Route.Queue group = new Route.Queue(
        "archive",
        Optional.of("prices.#"),
        Redelivery.immediate(3),
        Duration.ofSeconds(90),
        true,
        0,
        0,
        Overflow.DROP_OLDEST,
        10,
        Duration.ofHours(5));
    MvStore store = MvStore.open(directory, clock);
    store.load();
    store.apply(List.of(new Step.Declare(queue(0, "orders"))));
    store.apply(List.of(new Step.Declare(new Store.StoredQueue(1, group))));
    store.apply(List.of(add(0, 1, "one"), add(0, 2, "two")));
    long later = clock.currentTimeMillis() + 1000;
    store.apply(List.of(new Step.UpdateJob(0, job(2, 1, 0, later))));
    store
        .apply(List.of(new Step.AddDeadLetter(0, 9, "orders", letter("dead"))))
        .toCompletableFuture()
        .get(30, TimeUnit.SECONDS);
    return store;
  }

  private static final String QUEUES = """
      queue orders: 5 deliveries, 1s apart, x 2.0 up to 1m, timeout 30s, at most 1000, then BLOCK,\
       dead letters at most 100 for 7 d
        waiting 1 (3 B), delayed 1, delivered before 1, dead letters 1
      group archive of prices.#: 3 deliveries, timeout 1m30s, ordered, dead letters at most 10 for\
       5h
        waiting 0 (0 B), delayed 0, delivered before 0, dead letters 0
      """;

  @Test
  void tellsWhatADirectoryHolds() throws Exception {
    filled().close();
    Path file = directory.resolve("store.mv");
    byte[] before = Files.readAllBytes(file);
    assertThat(run(directory.toString())).isZero();
    assertThat(err.toString(StandardCharsets.UTF_8)).isEmpty();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .startsWith(file + ": format version 1, ")
        .endsWith(" kB, not in use\n" + QUEUES);
    assertThat(Files.readAllBytes(file)).isEqualTo(before);
  }

  @Test
  void readsWhileAnEngineHasItOpen() throws Exception {
    try (MvStore store = filled()) {
      store.begun(0, job(1, 0));
      assertThat(run(directory.toString())).isZero();
      assertThat(out.toString(StandardCharsets.UTF_8))
          .endsWith(
              "in use by process " + ProcessHandle.current().pid() + "\n1 handlers run\n" + QUEUES);
    }
    try (MvStore store = MvStore.open(directory, clock)) {
      assertThat(store.load()).hasSize(2);
    }
  }

  @Test
  void saysWhatIsWrong() throws Exception {
    assertThat(run()).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("usage: StoreReport DIRECTORY\n");
    err.reset();
    assertThat(run(directory.toString())).isEqualTo(1);
    Path file = directory.resolve("store.mv");
    assertThat(err.toString(StandardCharsets.UTF_8))
        .isEqualTo(file + " is missing (expected: an engine's directory)" + System.lineSeparator());
    err.reset();
    filled().close();
    Files.write(file, new byte[10_000]);
    assertThat(run(directory.toString())).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .startsWith(file + " cannot be opened: Store header is corrupt");
    assertThat(out.toString(StandardCharsets.UTF_8)).isEmpty();
  }
}
