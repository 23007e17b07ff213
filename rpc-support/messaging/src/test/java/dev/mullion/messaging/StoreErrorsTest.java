package dev.mullion.messaging;

import static dev.mullion.messaging.StoreJobs.add;
import static dev.mullion.messaging.StoreJobs.job;
import static dev.mullion.messaging.StoreJobs.queue;
import static dev.mullion.messaging.StoreJobs.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.messaging.Store.Job;
import dev.mullion.messaging.Store.Step;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.h2.mvstore.MVStore;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class StoreErrorsTest {
  private final MessagingClock clock = new ManualClock();

  @TempDir
  Path temporary;

  private Path directory = Path.of("");
  private Path file = Path.of("");

  @BeforeEach
  void realPath() throws IOException {
    directory = temporary.toRealPath().resolve("store");
    file = directory.resolve("store.mv");
  }

  private void fill(int jobs, String text) throws Exception {
    try (MvStore store = MvStore.open(directory, clock)) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")));
      for (int i = 0; i < jobs; i++) {
        apply(store, add(0, i, text + i));
      }
    }
  }

  private static void apply(Store store, Step... steps) throws Exception {
    store.apply(List.of(steps)).toCompletableFuture().get(30, TimeUnit.SECONDS);
  }

  private void assertRefused(String... texts) {
    assertThatThrownBy(() -> MvStore.open(directory, clock))
        .isInstanceOf(StoreException.class)
        .satisfies(e -> assertThat(e.getMessage()).contains(texts));
  }

  @Test
  void oneEngineForEachDirectory() throws Exception {
    try (MvStore store = MvStore.open(directory, clock)) {
      assertRefused(
          directory + " is in use by this process, " + ProcessHandle.current().pid(),
          "one engine for each directory");
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")));
    }
    fill(1, "again ");
  }

  @Test
  void theErrorNamesTheProcessThatHasTheDirectory() throws Exception {
    Process child = StoreProcess.start(StoreProcess.HOLD, directory, 0);
    try {
      assertThat(child.inputReader().readLine()).isEqualTo("open");
      assertRefused(directory + " is in use by process " + child.pid());
    } finally {
      child.destroyForcibly().waitFor();
    }
    fill(1, "a process that is gone holds nothing ");
  }

  @Test
  void aDirectoryThatCannotBe() throws Exception {
    Files.createFile(directory);
    assertRefused(directory + " is not a directory");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aDirectoryThatCannotBeWritten() {
    directory = Path.of("/proc/mullion");
    assertRefused("/proc/mullion cannot be created: ");
    directory = Path.of("/proc");
    assertRefused("/proc/lock cannot be written: ");
  }

  @Test
  void anUnknownFormatVersion() throws Exception {
    fill(1, "");
    StoreFile opened = new StoreFile(new DiskFile(file.toFile(), false), file.toString(), false);
    try (MVStore store =
        new MVStore.Builder().adoptFileStore(opened).autoCommitDisabled().open()) {
      opened.opened();
      store.setStoreVersion(7);
      store.commit();
    }
    assertRefused(file + " has format version 7 (expected: 1)");
  }

  @Test
  void foreignFiles() throws Exception {
    fill(1, "");
    byte[] noise = new byte[20_000];
    new java.util.Random(1).nextBytes(noise);
    Files.write(file, noise);
    assertRefused(file + " cannot be opened: Store header is corrupt");
    Files.delete(file);
    try (MVStore other = MVStore.open(file.toString())) {
      other.openMap("data").put("a", "b");
    }
    assertRefused(file + " is an MVStore file, but not one of this library");
    Files.write(file, new byte[0]);
    assertRefused(file + " is empty, so it was truncated");
    Files.delete(file);
    assertRefused(file + " is missing, although " + directory.resolve("marks") + " is there");
  }

  @Test
  void aDamagedFileOfMarks() throws Exception {
    fill(1, "");
    Files.writeString(directory.resolve("marks"), "x".repeat(100));
    assertRefused(directory.resolve("marks") + " is damaged, or not a file of marks (size 100)");
    Files.delete(directory.resolve("marks")); // as the error of a damaged store advises
    try (MvStore store = MvStore.open(directory, clock)) {
      assertThat(store.load().get(0).jobs()).hasSize(1);
    }
  }

  @Test
  void truncatedToItsHeader() throws Exception {
    fill(1, "");
    Files.write(file, java.util.Arrays.copyOf(Files.readAllBytes(file), 8192));
    assertRefused(file + " is damaged: no complete version is left");
  }

  /** Each length has an error, or all is there: never silently less. */
  @Test
  void truncatedAnywhere() throws Exception {
    fill(60, "x".repeat(300));
    byte[] whole = Files.readAllBytes(file);
    for (int length = 0; length <= whole.length; length += 2000) {
      Files.write(file, java.util.Arrays.copyOf(whole, length));
      try (MvStore store = MvStore.open(directory, clock)) {
        assertThat(store.load().get(0).jobs()).hasSize(60);
      } catch (StoreException e) {
        assertThat(e).hasMessageContaining(file.toString());
      }
    }
  }

  @Test
  void overwrittenAnywhere() throws Exception {
    fill(60, "x".repeat(300));
    byte[] whole = Files.readAllBytes(file);
    int failed = 0;
    for (int at = 0; at < whole.length; at += 1536) {
      byte[] damaged = whole.clone();
      java.util.Arrays.fill(damaged, at, Math.min(at + 512, whole.length), (byte) 'z');
      Files.write(file, damaged);
      try (MvStore store = MvStore.open(directory, clock)) {
        List<Job> jobs = store.load().get(0).jobs();
        assertThat(jobs).hasSize(60);
        for (Job job : jobs) {
          assertThat(text(store.readJob(0, job.number())))
              .isEqualTo("x".repeat(300) + job.number());
        }
      } catch (StoreException e) {
        assertThat(e).hasMessageContaining(file.toString());
        failed++;
      }
    }
    assertThat(failed).isPositive();
  }

  @Test
  void aFullDiskFailsWhatWaitsAndWhatComes() throws Exception {
    for (int failAt = 0; failAt < 40; failAt += 8) {
      FailingPlace place = new FailingPlace();
      StoreMaps.create(place.open(false), file);
      StoreMarks marks = StoreMarks.open(temporary.resolve("marks"));
      StoreMaps maps = StoreMaps.open(place.open(false), file, false, 0);
      List<CompletableFuture<Void>> all = new ArrayList<>();
      List<Integer> kept = new ArrayList<>();
      try (MvStore store = new MvStore(place, maps, marks, clock)) {
        store.load();
        apply(store, new Step.Declare(queue(0, "orders")), add(0, 9999, "first"));
        place.writesLeft.set(failAt);
        for (int i = 0; i < 300; i++) {
          all.add(store.apply(List.of(add(0, i, "job " + i))).toCompletableFuture());
          if (i < 20) {
            all.get(i).get(30, TimeUnit.SECONDS);
          }
        }
        apply(store, add(0, 8888, "never"));
      } catch (java.util.concurrent.ExecutionException e) {
        assertThat(e.getCause())
            .isInstanceOf(StoreException.class)
            .hasMessage(file + " cannot be written, so the engine has to be started again:"
                + " No space left on device");
        for (int i = 0; i < all.size(); i++) {
          assertThat(all.get(i)).isDone();
          if (!all.get(i).isCompletedExceptionally()) {
            kept.add(i);
          }
        }
      }
      assertKept(place, kept);
      Files.delete(temporary.resolve("marks"));
    }
  }

  private void assertKept(FailingPlace place, List<Integer> acknowledged) throws Exception {
    place.writesLeft.set(Integer.MAX_VALUE);
    StoreMaps maps = StoreMaps.open(place.open(false), file, false, 0);
    List<Long> jobs = new ArrayList<>();
    maps.contents(maps.queues().get(0)).jobs().forEach(job -> jobs.add(job.number()));
    assertThat(jobs).contains(9999L);
    for (int number : acknowledged) {
      assertThat(jobs).contains((long) number);
    }
    maps.close();
  }

  @Test
  void readsGoOnAfterAFailure() throws Exception {
    FailingPlace place = new FailingPlace();
    StoreMaps.create(place.open(false), file);
    StoreMaps maps = StoreMaps.open(place.open(false), file, false, 0);
    StoreMarks marks = StoreMarks.open(temporary.resolve("marks"));
    try (MvStore store = new MvStore(place, maps, marks, clock)) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")), add(0, 1, "one"));
      place.writesLeft.set(0);
      assertThat(store.apply(List.of(add(0, 2, "two"))))
          .failsWithin(Duration.ofSeconds(30))
          .withThrowableThat()
          .withCauseInstanceOf(StoreException.class);
      assertThat(text(store.readJob(0, 1))).isEqualTo("one");
      assertThatThrownBy(() -> store.readJob(0, 2)).isInstanceOf(StoreException.class);
      assertThat(store.apply(List.of(add(0, 3, "three"))))
          .failsWithin(Duration.ofSeconds(30))
          .withThrowableThat()
          .withMessageContaining("No space left on device");
    }
    assertThat(place.released).hasValue(1);
  }

  @Test
  void marksOfThisLifeAreNotCountedAndThoseOfADeadProcessAre() throws Exception {
    Path copy = temporary.resolve("copy");
    try (MvStore store = MvStore.open(directory, clock)) {
      store.load();
      apply(store, new Step.Declare(queue(0, "orders")));
      for (int i = 0; i < 5; i++) {
        apply(store, add(0, i, "job"));
        store.begun(0, job(i, 0, 0, 0));
      }
      store.ended(0, 1);
      apply(store, new Step.RemoveJob(0, 2)); // on disk, and its mark not yet removed
      apply(store, new Step.UpdateJob(0, job(3, 1, 0, 0))); // neither
      store.begun(7, job(1, 0, 0, 0)); // a queue that is not there
      copyAsIfKilled(copy);
    }
    assertThat(losses(directory)).containsExactly("0: 0+0", "1: 0+0", "3: 1+0", "4: 0+0");
    Path again = temporary.resolve("again");
    directory = copy;
    assertThat(losses(copy)).containsExactly("0: 0+1", "1: 0+0", "3: 1+0", "4: 0+1");
    try (MvStore store = MvStore.open(copy, clock)) {
      store.load();
      copyAsIfKilled(again);
    }
    assertThat(losses(again)).containsExactly("0: 0+1", "1: 0+0", "3: 1+0", "4: 0+1");
  }

  private void copyAsIfKilled(Path target) throws IOException {
    Files.createDirectory(target);
    Files.copy(directory.resolve("store.mv"), target.resolve("store.mv"));
    Files.copy(directory.resolve("marks"), target.resolve("marks"));
  }

  private List<String> losses(Path opened) throws Exception {
    try (MvStore store = MvStore.open(opened, clock)) {
      return store.load().get(0).jobs().stream()
          .map(job -> job.number() + ": " + job.failures() + "+" + job.losses())
          .toList();
    }
  }

  @Test
  void moreMarksThanFitInTheFirstFile() throws Exception {
    Path copy = temporary.resolve("copy");
    try (MvStore store = MvStore.open(directory, clock)) {
      store.load();
      store.apply(List.of(new Step.Declare(queue(0, "orders"))));
      for (int i = 0; i < 10_000; i++) {
        store.apply(List.of(add(0, i, "job")));
        store.begun(0, job(i, 0));
      }
      apply(store);
      for (int i = 0; i < 10_000; i += 2) {
        store.ended(0, i);
      }
      copyAsIfKilled(copy);
    }
    try (MvStore store = MvStore.open(copy, clock)) {
      assertThat(store.load().get(0).jobs())
          .allMatch(job -> job.losses() == (int) job.number() % 2);
    }
  }

  @Test
  void saysWhichLibraryIsMissing() throws Exception {
    List<URL> urls = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      if (!entry.contains("h2-mvstore")) {
        urls.add(Path.of(entry).toUri().toURL());
      }
    }
    ClassLoader platform = ClassLoader.getPlatformClassLoader();
    try (URLClassLoader loader = new URLClassLoader(urls.toArray(URL[]::new), platform)) {
      Class<?> clocks = loader.loadClass(MessagingClock.class.getName());
      var open =
          loader.loadClass(MvStore.class.getName()).getDeclaredMethod("open", Path.class, clocks);
      open.setAccessible(true);
      assertThatThrownBy(
              () -> open.invoke(null, directory, clocks.getMethod("system").invoke(null)))
          .isInstanceOf(InvocationTargetException.class)
          .cause()
          .isInstanceOf(IllegalStateException.class)
          .hasMessage(
              "directory: " + directory + " needs com.h2database:h2-mvstore on the class path");
    }
    fill(1, "the directory is as good as before ");
  }

  /** A place whose disk is full after some writes. */
  private final class FailingPlace implements MvStore.StorePlace {
    final AtomicInteger writesLeft = new AtomicInteger(Integer.MAX_VALUE);
    final AtomicInteger released = new AtomicInteger();
    private final Path real = temporary.resolve("real-" + System.nanoTime());

    @Override
    public Path path() {
      return file;
    }

    @Override
    public BlockFile open(boolean readOnly) throws IOException {
      return new FailingFile(new DiskFile(real.toFile(), readOnly), writesLeft);
    }

    @Override
    public void release() {
      released.incrementAndGet();
    }
  }

  private record FailingFile(BlockFile file, AtomicInteger writesLeft) implements BlockFile {
    private void spend() throws IOException {
      if (writesLeft.getAndUpdate(left -> Math.max(0, left - 1)) == 0) {
        throw new IOException("No space left on device");
      }
    }

    @Override
    public void read(long position, byte[] target, int offset, int length) throws IOException {
      file.read(position, target, offset, length);
    }

    @Override
    public void write(long position, byte[] source, int offset, int length) throws IOException {
      spend();
      file.write(position, source, offset, length);
    }

    @Override
    public void truncate(long size) throws IOException {
      file.truncate(size);
    }

    @Override
    public void sync() throws IOException {
      spend();
      file.sync();
    }

    @Override
    public long size() throws IOException {
      return file.size();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
